package httpapi

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"zurnals/domain/access"
)

type uploadIn struct {
	RawBody huma.MultipartFormFiles[struct {
		File   huma.FormFile `form:"file" required:"true" contentType:"text/csv"`
		DryRun bool          `form:"dry_run" required:"false"`
	}]
}

type uploadOut struct {
	Body struct {
		Size        int64  `json:"size"`
		Fingerprint []byte `json:"fingerprint"`
	}
}

func upload(a *API) {
	handle(a, route{id: "upload", method: "POST", path: "/upload", summary: "Upload", permission: access.LoadRoster, maxBody: 4 << 20},
		func(_ context.Context, by access.Actor, in *uploadIn) (*uploadOut, error) {
			out := new(uploadOut)
			n, err := io.Copy(io.Discard, in.RawBody.Data().File)
			out.Body.Size, out.Body.Fingerprint = n, by.Fingerprint
			return out, err
		})
}

// form writes a form with one file and fields given as "name=value".
func form(boundary, kind string, size int, fields ...string) (contentType, body string) {
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	_ = m.SetBoundary(boundary)
	part, _ := m.CreatePart(map[string][]string{
		"Content-Disposition": {`form-data; name="file"; filename="saraksts-ķ.csv"`}, "Content-Type": {kind},
	})
	_, _ = part.Write(bytes.Repeat([]byte("x"), size))
	for _, f := range fields {
		name, value, _ := strings.Cut(f, "=")
		_ = m.WriteField(name, value)
	}
	_ = m.Close()
	return m.FormDataContentType(), b.String()
}

func TestUploadsAreBoundedAndLeaveNothingBehind(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	w := newWorld(t, upload)
	token := "Authorization: Bearer " + w.signIn(access.Assignment{Role: access.SchoolAdmin})
	for _, c := range []struct {
		name   string
		kind   string
		size   int
		fields []string
		status int
		code   string
		wrong  []string
	}{
		{name: "small", kind: "text/csv", size: 100, fields: []string{"dry_run=true"}, status: 200},
		{name: "3 MiB", kind: "text/csv", size: 3 << 20, status: 200},
		{name: "over 4 MiB", kind: "text/csv", size: 4 << 20, status: 413, code: "http.too_large"},
		{name: "unknown field", kind: "text/csv", size: 10, fields: []string{"dryrun=true"}, status: 422, code: "http.invalid", wrong: []string{"dryrun"}},
		{name: "not yes or no", kind: "text/csv", size: 10, fields: []string{"dry_run=perhaps"}, status: 422, code: "http.invalid", wrong: []string{"dry_run"}},
		{name: "character zero", kind: "text/csv", size: 10, fields: []string{"dry_run=\x00"}, status: 422, code: "http.invalid", wrong: []string{"dry_run"}},
		{name: "another type of file", kind: "application/x-msdownload", size: 3 << 20, status: 422, code: "http.invalid", wrong: []string{"file"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			kind, body := form("b", c.kind, c.size, c.fields...)
			a := w.send("POST", "/api/v1/upload", body, token, "Content-Type: "+kind)
			a.wants(t, c.status, c.code, c.wrong...)
		})
	}
	t.Run("not a form", func(t *testing.T) {
		w.send("POST", "/api/v1/upload", "{}", token).wants(t, 415, "http.media_type")
	})
	t.Run("broken off", func(t *testing.T) {
		kind, body := form("b", "text/csv", 100)
		w.send("POST", "/api/v1/upload", body[:len(body)/2], token, "Content-Type: "+kind).wants(t, 400, "http.malformed")
	})
	t.Run("no file", func(t *testing.T) {
		w.send("POST", "/api/v1/upload", "--b\r\nContent-Disposition: form-data; name=\"dry_run\"\r\n\r\ntrue\r\n--b--\r\n", token, "Content-Type: multipart/form-data; boundary=b").
			wants(t, 422, "http.invalid", "file")
	})
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Error(err)
	}
}

func TestTheSameFormIsTheSameRequestWhateverItsBoundary(t *testing.T) {
	w := newWorld(t, upload)
	token := "Authorization: Bearer " + w.signIn(access.Assignment{Role: access.SchoolAdmin})
	send := func(boundary string, size int, fields ...string) string {
		kind, body := form(boundary, "text/csv", size, fields...)
		a := w.send("POST", "/api/v1/upload", body, token, "Content-Type: "+kind, "Idempotency-Key: 12345678")
		var out struct{ Fingerprint string }
		if err := json.Unmarshal(a.Body.Bytes(), &out); err != nil || out.Fingerprint == "" {
			t.Fatalf("%d %s", a.Code, a.Body)
		}
		return out.Fingerprint
	}
	first := send("b1", 2<<20)
	if send("b2", 2<<20) != first {
		t.Error("another boundary makes another request")
	}
	if send("b1", 2<<20+1) == first || send("b1", 2<<20, "dry_run=true") == first {
		t.Error("another file or field is not noticed")
	}
}

func TestABodyWithoutLengthIsBoundedToo(t *testing.T) {
	w := newWorld(t, echo(fine))
	server := httptest.NewServer(w.handler)
	defer server.Close()
	for _, c := range []struct {
		name, sent, status string
	}{
		{"two MiB in pieces", "Transfer-Encoding: chunked\r\n\r\n200000\r\n" + strings.Repeat("x", 2<<20) + "\r\n0\r\n\r\n", "413"},
		{"broken off", "Content-Length: 100\r\n\r\n{", "400"},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn, err := net.Dial("tcp", server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			go func() {
				fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer %s\r\n%s", echoPath, w.signIn(admin), c.sent)
				_ = conn.(*net.TCPConn).CloseWrite()
			}()
			status, err := bufio.NewReader(conn).ReadString('\n')
			if err != nil || !strings.Contains(status, c.status) {
				t.Errorf("%q, %v; want %s", status, err, c.status)
			}
		})
	}
}

func TestAnswersCarryHeadersThatKeepBrowsersSafe(t *testing.T) {
	w := newWorld(t, echo(fine))
	for _, path := range []string{"/healthz", "/docs", "/nothing", echoPath} {
		h := w.send("GET", path, "").Header()
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
		} {
			if h.Get(name) != want {
				t.Errorf("%s: %s: %q", path, name, h.Get(name))
			}
		}
		if !strings.Contains(h.Get("Content-Security-Policy"), "default-src 'none'") || h.Get("Zurnals-Request") == "" {
			t.Errorf("%s: %v", path, h)
		}
	}
}

func TestHeadIsGetWithoutABody(t *testing.T) {
	w := newWorld(t, kinds)
	if a := w.send("HEAD", "/api/v1/anonymous", ""); a.Code != 200 {
		t.Errorf("%d %s", a.Code, a.Body)
	}
}
