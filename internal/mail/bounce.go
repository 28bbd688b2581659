package mail

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"net/textproto"
	"regexp"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// A Bounce says that a letter which the mail server had taken came back.
type Bounce struct {
	Letter   uuid.UUID // its id
	Position int64     // of the event it tells of
	Reason   string    // names no person and no address, so that it may be kept
}

// ErrNoBounce says that a message is no report of a letter of ours that came
// back: an answer by hand, a note of absence, a letter that is only late.
var ErrNoBounce = errors.New("mail: not a report of a letter that came back")

// maxBounce is how much of a message is read. Our letters are small, and some
// servers send back no more than their headers.
const maxBounce = 1 << 20

// ReadBounce reads the report of a mail server on a letter that it could not
// deliver (RFC 3464), as it comes by mail. Anybody may send such a thing: it
// counts only if it knows the id of the letter and its position, which stand in
// no other place than the letter itself.
func ReadBounce(r io.Reader) (Bounce, error) {
	m, err := mail.ReadMessage(io.LimitReader(r, maxBounce))
	if err != nil {
		return Bounce{}, ErrNoBounce
	}
	kind, of, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/report" || !strings.EqualFold(of["report-type"], "delivery-status") {
		return Bounce{}, ErrNoBounce
	}
	var b Bounce
	failed, ours := false, false
	for parts := multipart.NewReader(m.Body, of["boundary"]); !failed || !ours; {
		part, err := parts.NextPart()
		if err != nil { // the end, or what comes after it cannot be read
			return Bounce{}, ErrNoBounce
		}
		kind, _, _ := mime.ParseMediaType(part.Header.Get("Content-Type"))
		switch kind {
		case "message/delivery-status", "message/global-delivery-status":
			b.Reason, failed = readStatus(part)
		case "message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers":
			b.Letter, b.Position, ours = readReturned(part)
		}
	}
	return b, nil
}

// status is what a code such as 5.1.1 looks like (RFC 3463).
var status = regexp.MustCompile(`^[45]\.\d{1,3}\.\d{1,3}\b`)

// readStatus reads what became of a letter: a block of fields about the message,
// and one for each recipient, of whom ours have one. Of its texts only the code
// is kept: the others repeat the address.
func readStatus(r io.Reader) (reason string, failed bool) {
	for blocks := textproto.NewReader(bufio.NewReader(r)); ; {
		h, err := blocks.ReadMIMEHeader()
		if strings.EqualFold(h.Get("Action"), "failed") {
			return strings.TrimSpace("returned by a mail server: " + status.FindString(h.Get("Status"))), true
		}
		if err != nil {
			return "", false
		}
	}
}

// readReturned finds in the letter that came back, or in its headers, which one
// it is.
func readReturned(r io.Reader) (letter uuid.UUID, position int64, ours bool) {
	h, err := textproto.NewReader(bufio.NewReader(r)).ReadMIMEHeader()
	if err != nil && !errors.Is(err, io.EOF) {
		return letter, 0, false
	}
	return parseMessageID(strings.TrimSpace(h.Get("Message-Id")))
}

// messageID tells a letter from all others, and where the event stands that it
// tells of: ReadBounce finds it again by that.
func (l Letter) messageID(host string) string { return fmt.Sprintf("%s.%d@%s", l.ID, l.Position, host) }

func parseMessageID(s string) (letter uuid.UUID, position int64, ours bool) {
	left, _, _ := strings.Cut(strings.TrimPrefix(s, "<"), "@")
	id, at, _ := strings.Cut(left, ".")
	letter, err := uuid.Parse(id)
	if err != nil {
		return letter, 0, false
	}
	position, err = strconv.ParseInt(at, 10, 64)
	return letter, position, err == nil && position > 0
}
