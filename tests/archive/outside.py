"""Conditions outside of the library: wrong credentials, full buckets and disks, objects that exist already, rclone."""

import shutil
import subprocess
from pathlib import Path

import command
import logs
from processes import Failure, request
from s3_server import Gateway
from scene import Scene


def says(done, *words):
    text = done.stdout.decode().lower() + done.stderr.lower()
    if missing := [word for word in words if word not in text]:
        raise Failure(f"{done}\nsays nothing of {missing}")


def wrong_credentials(servers, kind, work, template, records):
    scene = Scene(servers, kind, "wrong credentials", work, template, records)
    wrong = {"AWS_SECRET_ACCESS_KEY": "not-the-secret-of-anybody", "ST_KEY": "not-the-secret-of-anybody"}
    done = scene.ship(env=wrong).expect(1)
    says(done, "40")
    if command.find("not-the-secret-of-anybody"):
        raise Failure("a wrong secret is printed too")
    if scene.check() != records or scene.remote.names() != sorted(scene.strangers):
        raise Failure("something was stored")
    # Nor from an instance: the address of its metadata service is on this machine, and no server listens there.
    none = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "ST_USER": "", "ST_KEY": "", "OS_USERNAME": "",
            "OS_PASSWORD": "", "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:1"}
    scene.ship("--patience=1s", env=none).expect(1, 2)
    scene.ship().expect(0)
    scene.arrived()


def credentials_file(servers, kind, work, template, records):
    """A file of credentials, which others may not read; the environment has none."""
    scene = Scene(servers, kind, "credentials in a file", work, template, records)
    kept = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "ST_USER", "ST_KEY")
    path = scene.work / "credentials"
    path.write_text("".join(f"{key}={scene.env[key]}\n" for key in kept if key in scene.env))
    without = {key: "" for key in kept}
    path.chmod(0o644)
    says(scene.ship("--credentials", path, env=without).expect(1, 2), "credentials", "read")
    path.chmod(0o600)
    scene.ship("--credentials", path, env=without).expect(0)
    scene.arrived()


def no_bucket(servers, kind, work, template, records):
    scene = Scene(servers, kind, "no bucket", work, template, records)
    url = scene.remote.url().replace("binlog-test", "binlog-never-made")
    done = command.run("ship", "--quiet", "--patience=1s", scene.log, url, env=scene.env).expect(1)
    says(done, "binlog-never-made")
    scene.check()
    scene.ship().expect(0)
    scene.arrived()


def same_object(servers, kind, work, template, records):
    """The object exists already, as another client stored it: an equal one is a success, a different one is never
    touched."""
    scene = Scene(servers, kind, "the same is there", work, template, records)
    names = scene.local_names()
    for name in names[:2]:
        scene.remote.put(name, (scene.log / name).read_bytes(), scene.work)
    scene.ship().expect(0)
    scene.arrived()


def other_object(servers, kind, work, template, records):
    scene = Scene(servers, kind, "another is there", work, template, records)
    name = scene.local_names()[1]
    whole = (scene.log / name).read_bytes()
    changed = bytearray(whole)
    changed[len(changed) // 2] ^= 1
    for other in (bytes(changed), whole[:-1], b""):
        scene.remote.put(name, other, scene.work)
        done = scene.ship("--keep-segments", "1").expect(1, 3)
        says(done, name)
        if scene.remote.read(name) != other:
            raise Failure(f"the object {name} was written over")
        if name not in scene.local_names() or scene.local_names()[-1] in scene.remote.names():
            raise Failure("a segment that is not in the store has gone, or one behind it was shipped before it")
        says(command.run("ship", "--verify", "--log", "default", scene.log, scene.remote.url(), env=scene.env).expect(1, 3), name)
    servers.rclone("deletefile", f"{scene.remote.rclone_path}/{name}")
    scene.ship().expect(0)
    scene.arrived()


def rclone_stored(servers, kind, work, template, records):
    """What rclone has stored is read directly from the store, and not shipped a second time."""
    scene = Scene(servers, kind, "stored by rclone", work, template, records)
    for name in scene.local_names():
        servers.rclone("copyto", scene.log / name, f"{scene.remote.rclone_path}/{name}")
    scene.read_there()
    url = scene.remote.url()
    shown = command.run("info", url, env=scene.env).expect(0).stdout.decode()
    if str(records) not in shown.replace(",", ""):
        raise Failure(f"binlog info does not show {records} records:\n{shown}")
    command.run("verify", url, env=scene.env).expect(0)
    last = logs.archived(command.run("cat", "--reverse", "--last", 1, url, env=scene.env))
    if int(last[:8]) != records:
        raise Failure(f"the last record there is {last[:20]!r} instead of {records}")


def verified(servers, kind, work, template, records):
    """`ship --verify` names what is missing and what is different."""
    scene = Scene(servers, kind, "verified", work, template, records)
    scene.ship().expect(0)
    names = [name for name in scene.remote.names() if name not in scene.strangers]
    verify = ("ship", "--verify", "--log", "default", scene.log, scene.remote.url())
    command.run(*verify, env=scene.env).expect(0)
    gone = names[1]
    servers.rclone("deletefile", f"{scene.remote.rclone_path}/{gone}")
    says(command.run(*verify, env=scene.env).expect(1, 3), gone)
    # Without its ledger, shipping finds out what is there, and completes it.
    (scene.log / "default.archive").unlink()
    scene.ship().expect(0)
    command.run(*verify, env=scene.env).expect(0)


def dry_run(servers, kind, work, template, records):
    scene = Scene(servers, kind, "dry run", work, template, records)
    before = {path.name: logs.digest(path) for path in scene.log.iterdir() if path.is_file()}
    scene.ship("--dry-run", "--keep-segments", "1").expect(0)
    after = {path.name: logs.digest(path) for path in scene.log.iterdir() if path.is_file()}
    if before != after or scene.remote.names() != sorted(scene.strangers):
        raise Failure("a dry run has changed something")


def full_s3(servers, _kind, work, template, records):
    """The gateway's file system is full."""
    place = Path(work) / "small file system"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", place], capture_output=True)
    if mounted.returncode != 0:
        print("skip  s3: bucket full: mounting is not permitted here", flush=True)
        return
    directory = Path(work) / "full gateway"
    directory.mkdir()
    gateway = Gateway(directory, servers.user, servers.secret, place)
    try:
        gateway.start()
        (place / "full").mkdir()
        url = gateway.url("full", "logs")
        log = Path(work) / "log for a full bucket"
        shutil.copytree(template, log)
        options = ("--quiet", "--patience=2s", "--keep-segments", "1", "--part-size=5MiB")
        command.run("ship", *options, log, url, env=servers.environment()).expect(1)
        there = directory / "there"
        shutil.copytree(place / "full/logs", there)
        if logs.held(log, there, directory / "union") != records:
            raise Failure("records are missing while the bucket is full")
        # A larger one takes them.
        subprocess.run(["mount", "-o", "remount,size=64m", place], check=True)
        command.run("ship", *options, log, url, env=servers.environment()).expect(0)
        shutil.rmtree(there)
        shutil.copytree(place / "full/logs", there)
        if logs.count_of(logs.archived(command.run("cat", there))) != records:
            raise Failure("not all has arrived")
    finally:
        gateway.stop()
        subprocess.run(["umount", "-l", place], check=False)


def full_swift(servers, kind, work, template, records):
    """The container has a quota."""
    scene = Scene(servers, kind, "full", work, template, records)
    scene.remote.bucket = "full"
    scene.remote.rclone_path = f"binlogswift:full/{scene.remote.prefix}"
    container = f"{scene.remote.storage}/full"
    request("PUT", container, {**scene.remote.token, "X-Container-Meta-Quota-Bytes": "12000"})
    scene.strangers = {}
    done = scene.ship("--patience=2s").expect(1)
    says(done, "413")
    scene.check()
    request("POST", container, {**scene.remote.token, "X-Remove-Container-Meta-Quota-Bytes": "x"})
    scene.ship().expect(0)
    scene.arrived()


def full_disk(servers, kind, work, template, records):
    """The local disk is full while a segment is compressed: nothing is lost, nothing is left; with space, all arrives."""
    place = Path(work) / f"{kind} small disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", place], capture_output=True)
    if mounted.returncode != 0:
        print(f"skip  {kind}: disk full: mounting is not permitted here", flush=True)
        return
    try:
        scene = Scene(servers, kind, "disk full", place, template, records)
        done = scene.ship("--compress", "zstd", "--patience=2s").expect(1)
        if "space" not in done.stderr.lower():
            raise Failure(f"{done}\nsays nothing of space")
        scene_work, scene.work = scene.work, Path(work) / f"{kind} disk full outside"
        scene.work.mkdir()
        scene.check()
        subprocess.run(["mount", "-o", "remount,size=64m", place], check=True)
        scene.ship("--compress", "zstd").expect(0)
        scene.arrived()
        scene.work = scene_work
    finally:
        subprocess.run(["umount", "-l", place], check=False)


def checks(servers, kind, work, templates, _soak):
    small, mixed = templates["small"], templates["mixed"]

    def one(name, function, template):
        return f"{kind}: {name}", lambda: function(servers, kind, work, *template)

    yield one("wrong credentials, and none", wrong_credentials, small)
    yield one("credentials in a file", credentials_file, small)
    yield one("a bucket that is not there", no_bucket, small)
    yield one("the same object is there", same_object, mixed)
    yield one("another object is there", other_object, small)
    yield one("stored by rclone, read by binlog", rclone_stored, mixed)
    yield one("verify names what is missing", verified, small)
    yield one("a dry run changes nothing", dry_run, small)
    yield one("bucket full", full_s3 if kind == "s3" else full_swift, mixed if kind == "s3" else small)
    yield one("local disk full during compression", full_disk, mixed)


def keystone(servers, work, template, records):
    """Swift asks Keystone to identify the client: a user with a password, then one with an application credential."""
    servers.wait_for_keystone()
    own = ("OS_USERNAME", "OS_PASSWORD", "OS_PROJECT_NAME", "OS_USER_DOMAIN_NAME", "OS_PROJECT_DOMAIN_NAME")
    by_application = {**dict.fromkeys(own, ""), "OS_APPLICATION_CREDENTIAL_ID": servers.keystone.application_credential,
                      "OS_APPLICATION_CREDENTIAL_SECRET": servers.secret}
    for name, env in (("password", {}), ("application", by_application)):
        log = Path(work) / f"keystone {name}"
        shutil.copytree(template, log)
        url = f"swift://binlog-test/{name}?auth={servers.keystone.auth}"
        env = {**servers.environment(), **env}
        command.run("ship", "--quiet", "--part-size=5MiB", log, url, env=env).expect(0)
        if (count := logs.count_of(logs.archived(command.run("cat", url, env=env)))) != records:
            raise Failure(f"by {name}: {count} records are there instead of {records}")
        there = Path(work) / f"keystone {name} there"
        servers.rclone("copy", f"binlogkeystone:binlog-test/{name}", there)
        logs.verify(there)


def keystone_checks(servers, work, templates):
    yield "keystone: by password and by application credential", lambda: keystone(servers, work, *templates["mixed"])
