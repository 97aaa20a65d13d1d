"""versitygw: a real S3 server over a directory, strict about conditional writes."""

import signal

from processes import Process, free_port, listens, request
from tools import tool

REGION = "us-east-1"


class Gateway:
    """Buckets are the directories below `data`. With `certificate`, a path without its ending, it speaks HTTPS."""

    name = "s3"

    def __init__(self, directory, access, secret, data=None, certificate=None):
        self.data = data or directory / "s3"
        self.port = free_port()
        self.is_safe = certificate is not None
        self.endpoint = f"{'https' if self.is_safe else 'http'}://127.0.0.1:{self.port}"
        safe = ["--cert", f"{certificate}.pem", "--key", f"{certificate}.key"] if self.is_safe else []
        self.process = Process(
            "versitygw",
            [tool("bin/versitygw"), "--port", f"127.0.0.1:{self.port}", "--region", REGION, "--health", "/health",
             "--quiet", "--keep-alive", *safe, "posix", self.data],
            directory / "versitygw.log",
            # Not as arguments, which every user of the machine can read.
            {"ROOT_ACCESS_KEY": access, "ROOT_SECRET_KEY": secret})

    def start(self):
        self.data.mkdir(exist_ok=True)
        self.process.start()
        self.process.wait_until("answering", self.answers)

    def answers(self):
        # Other tests check its certificate.
        return listens(self.port) if self.is_safe else request("GET", self.endpoint + "/health")[0] == 200

    def stop(self, number=signal.SIGTERM):
        self.process.stop(number)

    def url(self, bucket, prefix="", endpoint=None):
        return (f"s3://{bucket}/{prefix}?endpoint={endpoint or self.endpoint}"
                f"&region={REGION}&path_style=true")
