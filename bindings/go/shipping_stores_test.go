package binlog

import (
	"crypto/rand"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Object stores that tests/archive/servers.py runs, and the variables that hold their credentials.
var objectStores = map[string][]string{
	"BINLOG_TEST_S3_URL":    {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"},
	"BINLOG_TEST_SWIFT_URL": {"ST_USER", "ST_KEY"},
}

func TestObjectStoresTakeALogAndItIsReadFromThere(t *testing.T) {
	for variable, secrets := range objectStores {
		t.Run(variable, func(t *testing.T) {
			place, err := url.Parse(os.Getenv(variable))
			must(t, err)
			if place.Host == "" {
				t.Skip("not set: tests/archive/servers.py run -- bindings/go/test.sh stores")
			}
			place.Path = "/go-" + rand.Text()
			store := place.String()
			file := credentialsFile(t, secrets)

			directory := newLog(t)
			w := open(t, directory, WithRoll(RollOptions{Records: 100}), WithShipping(ShipOptions{
				URL: store, Compress: &CompressOptions{}, Credentials: file, CloseWait: patience,
			}), WithOnFailure(func(err *Error) { t.Error(err) }))
			rare, err := w.Type("rare", "")
			must(t, err)
			for i := range 5 {
				appendN(t, w, 49)
				_, err = w.Append(rare, []byte{byte('0' + i)})
				must(t, err)
			}
			must(t, w.Close())
			all := texts(t, directory, Filter{})

			s := openShipper(t, directory, ShipOptions{URL: store, Credentials: file})
			report, err := s.Run(withPatience(t), nil)
			must(t, err)
			found, err := s.Verify(withPatience(t), true, nil)
			must(t, err)
			if report.UploadedSegments != 0 || found.SoundSegments != 3 || len(found.Problems) != 0 {
				t.Errorf("%+v, %+v", report, found)
			}

			cache := filepath.Join(t.TempDir(), "cache")
			for range 2 { // the second time from the cache
				if got := texts(t, store, Filter{}, WithCredentials(file), WithCache(cache, 1<<30)); !slices.Equal(got, all) {
					t.Error(got)
				}
			}
			if kept, err := os.ReadDir(cache); err != nil || len(kept) == 0 {
				t.Error("nothing is in the cache", err)
			}
			if got := texts(t, store, Filter{TypeNames: []string{"rare"}}, WithCredentials(file)); len(got) != 5 {
				t.Error(got)
			}
			some := strings.Replace(store, "?", "/default.000000000[23].*?", 1)
			if got := texts(t, some, Filter{}, WithCredentials(file)); !slices.Equal(got, all[100:]) {
				t.Error(got)
			}

			// Access needs credentials, and no error shows what was sent.
			wrong := filepath.Join(t.TempDir(), "wrong")
			lines := secrets[0] + "=nobody\n" + secrets[1] + "=hunter2\n"
			must(t, os.WriteFile(wrong, []byte(lines), 0o600))
			_, err = OpenReader(store, WithCredentials(wrong))
			if err == nil || strings.Contains(err.Error(), "hunter2") {
				t.Error(err)
			}
		})
	}
}

// credentialsFile moves credentials from the environment to a file.
func credentialsFile(t *testing.T, variables []string) string {
	t.Helper()
	var lines strings.Builder
	for _, variable := range variables {
		lines.WriteString(variable + "=" + os.Getenv(variable) + "\n")
		t.Setenv(variable, "")
		must(t, os.Unsetenv(variable))
	}
	file := filepath.Join(t.TempDir(), "credentials")
	must(t, os.WriteFile(file, []byte(lines.String()), 0o600))
	return file
}
