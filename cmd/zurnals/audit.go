package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"zurnals/internal/proof"
)

// auditTool runs f with the sealer.
func auditTool(ctx context.Context, name string, args []string, more func(*flag.FlagSet), f func(*app, []string) error) error {
	return tool(ctx, name, args, more, func(a *app, words []string) error {
		if err := a.openProof(ctx, nil); err != nil {
			return err
		}
		return f(a, words)
	})
}

func auditKey(ctx context.Context, args []string, out io.Writer) error {
	return auditTool(ctx, "audit key", args, nil, func(a *app, words []string) error {
		if len(words) > 0 {
			return fmt.Errorf("%w: zurnals audit key", errUsage)
		}
		fmt.Fprintln(out, a.sealer.Key())
		return nil
	})
}

func auditExport(ctx context.Context, args []string, out io.Writer) error {
	return auditTool(ctx, "audit export", args, nil, func(a *app, words []string) error {
		if len(words) != 1 {
			return fmt.Errorf("%w: zurnals audit export <file>", errUsage)
		}
		// A log that was tampered with is exported too: what was done to it is
		// for the auditors to find.
		_, err := a.sealer.Seal(ctx)
		switch {
		case errors.Is(err, proof.ErrRewritten):
			fmt.Fprintf(os.Stderr, "WARNING: %v\n", err)
		case err != nil:
			return err
		}
		c, err := writeExport(ctx, a.sealer, words[0])
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s: %d events, sealed at %s.\nTo verify it anywhere:\n  zurnals audit verify %s -key %s\n",
			words[0], c.Size, c.At.Format(time.RFC3339), words[0], a.sealer.Key())
		return nil
	})
}

// writeExport writes an export to a new file, or leaves what was there.
func writeExport(ctx context.Context, s *proof.Sealer, name string) (proof.Checkpoint, error) {
	f, err := os.CreateTemp(filepath.Dir(name), ".export-*") // mode 0600
	if err != nil {
		return proof.Checkpoint{}, err
	}
	defer os.Remove(f.Name())
	c, err := s.Export(ctx, f)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	return c, err
}

func auditProve(ctx context.Context, args []string, out io.Writer) error {
	var from, to int64
	return auditTool(ctx, "audit prove", args, func(f *flag.FlagSet) {
		f.Int64Var(&from, "from", 0, "size of an earlier checkpoint: prove that the log continues it")
		f.Int64Var(&to, "to", 0, "size of a later checkpoint (default: the newest)")
	}, func(a *app, words []string) error {
		proven, err := prove(ctx, a.sealer, words, from, to)
		if errors.Is(err, proof.ErrNotSealed) {
			if _, err = a.sealer.Seal(ctx); err == nil {
				proven, err = prove(ctx, a.sealer, words, from, to)
			}
		}
		if err != nil {
			return err
		}
		w := json.NewEncoder(out)
		w.SetIndent("", "  ")
		return w.Encode(proven)
	})
}

func prove(ctx context.Context, s *proof.Sealer, words []string, from, to int64) (any, error) {
	if len(words) == 0 && from != 0 {
		return s.Continue(ctx, from, to)
	}
	if len(words) != 1 || from != 0 || to != 0 {
		return nil, fmt.Errorf("%w: zurnals audit prove <position>, or -from <size> [-to <size>]", errUsage)
	}
	position, err := strconv.ParseInt(words[0], 10, 64)
	if err != nil {
		return nil, fmt.Errorf("%w: %q is not a position", errUsage, words[0])
	}
	return s.Include(ctx, position)
}

// auditVerify needs neither a server nor a database nor any setting.
func auditVerify(_ context.Context, args []string, out io.Writer) error {
	var keyText string
	var against []string
	flags := flag.NewFlagSet("zurnals audit verify", flag.ContinueOnError)
	flags.StringVar(&keyText, "key", "", "public key (zurnals+…), or a file with it")
	flags.Func("against", "file with older checkpoints that were kept, such as a saved mail; may be repeated", func(name string) error {
		text, err := os.ReadFile(name)
		against = append(against, string(text)+savedMail(text))
		return err
	})
	words, err := flagsAndWords(flags, args)
	if err != nil {
		return err
	}
	if len(words) != 1 || keyText == "" {
		return fmt.Errorf("%w: zurnals audit verify <file> -key <public key> [-against <older checkpoints>]\nWithout the public key, got from somebody you trust, nothing is shown.", errUsage)
	}
	if !strings.HasPrefix(keyText, "zurnals+") {
		text, err := os.ReadFile(keyText)
		if err != nil {
			return fmt.Errorf("%w: -key: it begins with zurnals+ or names a file: %w", errUsage, err)
		}
		keyText = string(text)
	}
	key, err := proof.ParseKey(keyText)
	if err != nil {
		return fmt.Errorf("%w: -key: %w", errUsage, err)
	}
	older, defects := proof.OpenCheckpoints(key, against...)
	f, err := os.Open(words[0])
	if err != nil {
		return err
	}
	defer f.Close()
	begin := make([]byte, 1)
	if _, err := f.ReadAt(begin, 0); err == nil && begin[0] == '{' {
		return verifyProof(f, key, older, defects, out)
	}
	report, err := proof.Verify(f, key, older)
	if err != nil {
		return err
	}
	if defects = append(defects, report.Defects...); len(defects) > 0 {
		return tellDefects(out, defects)
	}
	fmt.Fprintf(out, "%d events, as they were signed at %s.\n", report.Events, report.Checkpoint.At.Format(time.RFC3339))
	if len(against) > 0 {
		fmt.Fprintf(out, "They continue the older checkpoints: %d.\n", report.Agreed)
	}
	return nil
}

// savedMail returns the plain text of a mail that was saved as it came over the
// wire, where letters may be encoded; "" if this is none.
func savedMail(data []byte) string {
	letter, err := mail.ReadMessage(bytes.NewReader(data))
	if err != nil {
		return ""
	}
	return plainText(textproto.MIMEHeader(letter.Header), letter.Body, 5)
}

// plainText returns the text of a part of a mail, and of the parts in it.
func plainText(header textproto.MIMEHeader, body io.Reader, depth int) string {
	kind, parameters, err := mime.ParseMediaType(header.Get("Content-Type"))
	switch {
	case err != nil || depth == 0:
		return ""
	case strings.HasPrefix(kind, "multipart/"):
		var all strings.Builder
		for parts := multipart.NewReader(body, parameters["boundary"]); ; {
			part, err := parts.NextRawPart()
			if err != nil {
				return all.String()
			}
			all.WriteString(plainText(part.Header, part, depth-1))
		}
	case kind != "text/plain":
		return ""
	}
	switch strings.ToLower(header.Get("Content-Transfer-Encoding")) {
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	}
	text, err := io.ReadAll(body)
	if err != nil {
		return ""
	}
	return "\n" + string(text)
}

// maxProof is the longest proof that is read: one event, and some hashes.
const maxProof = 4 << 20

func verifyProof(r io.Reader, key proof.Key, older []proof.Checkpoint, defects []proof.Defect, out io.Writer) error {
	if len(defects) > 0 {
		return tellDefects(out, defects)
	}
	data, err := io.ReadAll(io.LimitReader(r, maxProof))
	if err != nil {
		return err
	}
	said, err := proof.VerifyProof(bytes.TrimSpace(data), key, older)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, said)
	return nil
}

// errDefects is how verify ends when something is wrong.
var errDefects = errors.New("it is not the log that was signed")

func tellDefects(out io.Writer, defects []proof.Defect) error {
	for _, d := range defects {
		fmt.Fprintln(out, d)
	}
	return fmt.Errorf("%w: defects: %d", errDefects, len(defects))
}
