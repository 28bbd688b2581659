package commands

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"time"

	"github.com/google/uuid"

	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/attendance"
)

// The secrets of a lesson, the password that the class is told and the code in
// the QR picture, are derived from the lesson and a key of the program. So each
// lesson has its own (ATT-017), they can be shown again at any time, and they
// stand in no event, no table and no log (S-23).

// A LessonSecret is what pupils record themselves with.
type LessonSecret struct {
	Password string // empty: not offered
	Code     string // empty: not offered
}

// ErrLessonSecret refuses a wrong password or code of a lesson.
var ErrLessonSecret = domain.Refuse(domain.Forbidden, "attendance.wrong_secret", "the password or the code of the lesson is wrong")

// LessonSecret returns the password and the code of a lesson, to be shown to
// the class.
func (c *Commands) LessonSecret(ctx context.Context, by access.Actor, id domain.LessonID) (s LessonSecret, err error) {
	scope, err := c.LessonScope(ctx, id)
	if err != nil {
		return s, err
	}
	err = c.do(ctx, by, access.At(access.SeeLessonSecret, scope), func(u *unit) error {
		lesson, err := peek(u, attendance.Lessons, id)
		if err != nil {
			return err
		}
		self := lesson.SelfRecording
		if self == nil {
			return attendance.ErrNotSelf
		}
		if self.Password {
			if s.Password, err = c.lessonPassword(ctx, id, self.Generation); err != nil {
				return err
			}
		}
		if self.QR {
			s.Code, err = c.lessonCode(ctx, id, self.Generation)
		}
		return err
	})
	return s, err
}

// checkSecret compares what the pupil gave with the secret of the lesson.
func (c *Commands) checkSecret(u *unit, lesson attendance.Lesson, method attendance.Method, cmd SelfRecord) error {
	if lesson.SelfRecording == nil {
		return attendance.ErrNotSelf
	}
	given, derive := normalPassword(cmd.Password), c.lessonPassword
	if method == attendance.QR {
		given, derive = cmd.Code, c.lessonCode
	}
	want, err := derive(u.ctx, lesson.ID, lesson.SelfRecording.Generation)
	if err != nil {
		return err
	}
	key := "lesson/" + lesson.ID.String() + "/" + u.by.ID.String()
	wait, err := c.Attempts.Try(u.ctx, key, u.at, secretTries)
	if err != nil {
		return err
	}
	if wait > 0 {
		return ErrLessonTries
	}
	if subtle.ConstantTimeCompare([]byte(given), []byte(want)) != 1 {
		return ErrLessonSecret
	}
	return c.Attempts.Forget(u.ctx, key)
}

// secretTries is how often one pupil may try the secret of one lesson (A40).
var secretTries = Limit{Tries: 5, Wait: time.Minute, MaxWait: time.Minute, Reset: 10 * time.Minute}

// ErrLessonTries refuses a try after five wrong ones, until a minute has passed.
var ErrLessonTries = domain.Refuse(domain.TooMany, "attendance.too_many_tries", "too many wrong tries: wait a minute")

// letters of a lesson's password: none that look like another of them. There
// are 32, so that five bits are one letter.
const letters = "abcdefghjkmnopqrstuvwxyz23456789"

// passwordLength gives 40 bits, with five tries a minute for each pupil.
const passwordLength = 8

// lessonPassword returns the password of a lesson.
func (c *Commands) lessonPassword(ctx context.Context, id domain.LessonID, generation int) (string, error) {
	mac, err := c.lessonMAC(ctx, "password", id, generation)
	if err != nil {
		return "", err
	}
	password := make([]byte, passwordLength)
	for i := range password {
		password[i] = letters[mac[i]%32]
	}
	return string(password), nil
}

// normalPassword returns a password as a person may have meant it.
func normalPassword(s string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case ' ', '-':
			return -1
		case '0':
			return 'o'
		}
		return r
	}, strings.ToLower(strings.TrimSpace(s)))
}

// codeMAC is how much of the MAC a code holds, in bytes: 128 bits.
const codeMAC = 16

// lessonCode returns the code of a lesson: its id, which is no secret, and
// what only we can say of it. Whoever brings the code need not say which
// lesson it is.
func (c *Commands) lessonCode(ctx context.Context, id domain.LessonID, generation int) (string, error) {
	mac, err := c.lessonMAC(ctx, "code", id, generation)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(append(id.UUID[:len(id.UUID):len(id.UUID)], mac[:codeMAC]...)), nil
}

// lessonOf returns the lesson that a code names, whether or not it is right.
func lessonOf(code string) (domain.LessonID, bool) {
	if len(code) != base64.RawURLEncoding.EncodedLen(len(uuid.UUID{})+codeMAC) {
		return domain.LessonID{}, false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(code)
	if err != nil {
		return domain.LessonID{}, false
	}
	return domain.LessonID{UUID: uuid.UUID(raw[:len(uuid.UUID{})])}, true
}

func (c *Commands) lessonMAC(ctx context.Context, purpose string, id domain.LessonID, generation int) ([]byte, error) {
	key, err := c.Keys.Derive(ctx, "session-secrets")
	if err != nil {
		return nil, err
	}
	h := hmac.New(sha256.New, key)
	h.Write([]byte(purpose))
	h.Write(id.UUID[:])
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(generation)))
	return h.Sum(nil), nil
}
