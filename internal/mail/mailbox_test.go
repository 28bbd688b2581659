package mail

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/uuid"

	"zurnals/internal/pgtest"
)

func TestTheMailboxKeepsLettersAcrossRestarts(t *testing.T) {
	db := pgtest.New(t)
	box := &Mailbox{Pool: db.App}
	if got, err := box.List(t.Context()); err != nil || len(got) != 0 {
		t.Fatalf("a new mailbox: %v, %v", got, err)
	}
	first, second := letter(t), letter(t)
	second.ID, second.To = uuid.MustParse("0198f0a0-0000-7000-8000-000000000002"), "janis@example.lv"
	for _, l := range []Letter{first, second} {
		if err := box.Send(t.Context(), l); err != nil {
			t.Fatal(err)
		}
	}
	got, err := (&Mailbox{Pool: db.App}).List(t.Context()) // another process
	if err != nil || len(got) != 2 {
		t.Fatalf("got %v, %v", got, err)
	}
	if got[0].To != second.To || got[1].To != first.To {
		t.Errorf("the newest is not first: %v", got)
	}
	m := got[1]
	if m.Subject != first.Subject || m.Text != first.Text || m.HTML != first.HTML || !m.At.Equal(monday) ||
		m.MessageID != "0198f0a0-0000-7000-8000-000000000001.7@zurnals.invalid" {
		t.Errorf("got %+v", m)
	}
}

func TestTheMailboxRefusesWhatAServerWouldNotGet(t *testing.T) {
	box := &Mailbox{Pool: pgtest.New(t).App}
	l := letter(t)
	l.To = "laura@example.lv\r\nBcc: eve@example.com"
	var never *NeverError
	if err := box.Send(t.Context(), l); !errors.As(err, &never) {
		t.Errorf("got %v", err)
	}
}

func TestTheMailboxForgetsOldLetters(t *testing.T) {
	box := &Mailbox{Pool: pgtest.New(t).App}
	for i := range mailboxKeeps + 2 {
		l := letter(t)
		l.Subject = fmt.Sprint("letter ", i)
		if err := box.Send(t.Context(), l); err != nil {
			t.Fatal(err)
		}
	}
	got, err := box.List(t.Context())
	if err != nil || len(got) != mailboxKeeps || got[0].Subject != fmt.Sprint("letter ", mailboxKeeps+1) {
		t.Errorf("%d letters, the newest %q, %v", len(got), got[0].Subject, err)
	}
}
