package reactions_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	netmail "net/mail"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"zurnals/commands"
	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/domain/catalogue"
	"zurnals/domain/identity"
	"zurnals/domain/organisation"
	"zurnals/eventstore"
	"zurnals/internal/mail"
	"zurnals/internal/mail/mailtest"
	"zurnals/internal/reactions"
	"zurnals/internal/trace"
)

var (
	laura        = domain.NewID[domain.AccountID]()
	school       = domain.NewID[domain.SchoolID]()
	municipality = domain.NewID[domain.MunicipalityID]()
	challenge    = identity.ChallengeID{UUID: uuid.New()}
)

const address = "laura.ozola@example.lv"

// A post is a world in which letters are sent, into a mailbox unless told otherwise.
type post struct {
	*world
	box    *mail.Mailbox
	links  *commands.Links
	sender reactions.Sender

	overseers []domain.AccountID // of every municipality
}

func newPost(t *testing.T) *post {
	t.Helper()
	w := newWorld(t)
	links, err := commands.OpenLinks(t.Context(), w.keys)
	if err != nil {
		t.Fatal(err)
	}
	box := &mail.Mailbox{Pool: w.pool}
	p := &post{world: w, box: box, links: links, sender: box}
	p.append(organisation.Schools.Stream(school), organisation.SchoolRegistered{School: school, Municipality: municipality, Name: "Rīgas 99. vidusskola"})
	return p
}

// mailer opens the reactions with the mailer as the only worker.
func (p *post) mailer() *reactions.Engine {
	p.t.Helper()
	c := p.config(reactions.Mail)
	c.Workers = river.NewWorkers()
	river.AddWorker(c.Workers, &reactions.Mailer{
		Pool: p.pool, Log: p.log, Keys: p.keys, Catalogue: catalogue.All, Links: p.links, Sender: p.sender,
		PublicURL: "https://zurnals.example.lv/", Now: p.Now,
		Overseers: func(context.Context, domain.MunicipalityID) ([]domain.AccountID, error) { return p.overseers, nil },
	})
	return p.open(c)
}

// office lets the letters go to a mail server.
func (p *post) office() *mailtest.PostOffice {
	p.t.Helper()
	office := mailtest.Open(p.t)
	sender, err := mail.NewSMTP("smtp://"+office.Addr+"?tls=off", "Žurnāls <zurnals@example.lv>")
	if err != nil {
		p.t.Fatal(err)
	}
	p.sender = sender
	return office
}

// invite returns the event, and the invitation.
func (p *post) invite() (eventstore.NewEvent, domain.InvitationID) {
	p.t.Helper()
	id := domain.NewID[domain.InvitationID]()
	return p.append(identity.Accounts.Stream(laura), identity.UserInvited{
		Account: laura, Invitation: id, Municipality: municipality, School: school,
		GivenName: "Laura", FamilyName: "Ozola", PersonalCode: "01018012345", Email: address,
		LinkExpiresAt: p.Now().Add(identity.LinkLifetime),
	})[0], id
}

func (p *post) account(events ...domain.Event) []eventstore.NewEvent {
	p.t.Helper()
	return p.append(identity.Accounts.Stream(laura), events...)
}

// letters returns what is in the mailbox, the oldest first.
func (p *post) letters(want int) []mail.Received {
	p.t.Helper()
	got, err := p.box.List(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	if len(got) != want {
		p.t.Fatalf("%d letters, want %d: %+v", len(got), want, got)
	}
	for i := range len(got) / 2 {
		got[i], got[len(got)-1-i] = got[len(got)-1-i], got[i]
	}
	return got
}

// job returns the state of the only job, and what is kept of its errors.
func (p *post) job() (state string, failures []string) {
	p.t.Helper()
	var args string
	var raw []json.RawMessage
	if err := p.pool.QueryRow(p.t.Context(), `SELECT state, args::text, coalesce(errors, '{}') FROM jobs.river_job`).Scan(&state, &args, &raw); err != nil {
		p.t.Fatal(err)
	}
	for _, r := range raw {
		var failure struct {
			Error string `json:"error"`
		}
		if err := json.Unmarshal(r, &failure); err != nil {
			p.t.Fatal(err)
		}
		failures = append(failures, failure.Error)
	}
	for _, s := range append(failures, args) {
		if strings.Contains(strings.ToLower(s), "laura") || strings.Contains(s, "Ozola") {
			p.t.Errorf("the queue names the person: %s", s)
		}
	}
	return state, failures
}

// A lost letter is one that was given up.
type lost struct {
	Event  uuid.UUID
	Reason string
	At     time.Time
}

// undelivered returns the letters that were given up.
func (p *post) undelivered() []lost {
	p.t.Helper()
	rows, err := p.pool.Query(p.t.Context(), `SELECT event, reason, at FROM reaction.undelivered WHERE stream = $1 ORDER BY position DESC`, identity.Accounts.Stream(laura))
	if err != nil {
		p.t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[lost])
	if err != nil {
		p.t.Fatal(err)
	}
	return all
}

// Everybody in a file of users gets a letter, each with a link of the own.
func TestEverybodyInAFileGetsALetter(t *testing.T) {
	trace.Covers(t, "EMU-011")
	p := newPost(t)
	e := p.mailer()
	p.start(e)
	all := &commands.Commands{Log: p.log, Keys: p.keys, Catalogue: catalogue.All, Now: p.Now, Attempts: new(commands.MemoryAttempts)}
	const people = 30
	rows := make([]commands.UserRow, people)
	for i := range rows {
		rows[i] = commands.UserRow{Row: i + 2, GivenName: "Vārds", FamilyName: "Uzvārds", PersonalCode: fmt.Sprintf("33%09d", i), Email: fmt.Sprintf("lietotajs%d@skola.lv", i)}
	}
	if _, err := all.ImportUsers(t.Context(), access.System("test"), commands.ImportUsers{Place: access.Scope{School: school}, File: "sum", Rows: rows}); err != nil {
		t.Fatal(err)
	}
	p.runDue(e)
	to, links := map[string]bool{}, map[string]bool{}
	for _, l := range p.letters(people) {
		_, link, found := strings.Cut(l.Text, "\nhttps://zurnals.example.lv/registrations/")
		link, _, _ = strings.Cut(link, "\n")
		if to[l.To], links[link] = true, true; !found || link == "" {
			t.Errorf("no link for %s:\n%s", l.To, l.Text)
		}
	}
	if len(to) != people || len(links) != people || !to["lietotajs29@skola.lv"] {
		t.Errorf("%d people, %d links", len(to), len(links))
	}
}

func TestWhoIsInvitedGetsALetterWithALink(t *testing.T) {
	trace.Covers(t, "EMU-085")
	p := newPost(t)
	e := p.mailer()
	p.start(e)
	event, invitation := p.invite()
	p.runDue(e)
	got := p.letters(1)[0]
	if got.To != address || got.Subject != "Uzaicinājums reģistrēties Žurnālā" || !got.At.Equal(p.Now()) || !strings.HasPrefix(got.MessageID, event.ID.String()+".") {
		t.Errorf("got %+v", got)
	}
	for _, want := range []string{
		"\nhttps://zurnals.example.lv/registrations/" + p.links.Registration(laura, invitation) + "\n",
		"Lietotājs: Laura Ozola\n", "Darbavieta: Rīgas 99. vidusskola\n", "līdz 2025. gada 6. septembrim plkst. 08.00",
	} {
		if !strings.Contains(got.Text, want) {
			t.Errorf("%q is not in:\n%s", want, got.Text)
		}
	}
	if strings.Contains(got.Text, "01018012345") || strings.Contains(got.HTML, "01018012345") {
		t.Error("the letter has the personal code")
	}
	if state, _ := p.job(); state != "completed" {
		t.Errorf("the job is %s", state)
	}
}

func TestALetterForEachThingThatHappens(t *testing.T) {
	trace.Covers(t, "EMU-017")
	p := newPost(t)
	e := p.mailer()
	p.start(e)
	p.invite()
	p.runDue(e)
	again, credential := domain.NewID[domain.InvitationID](), domain.NewID[domain.CredentialID]()
	p.account(identity.InvitationResent{Account: laura, Invitation: again, Email: address, LinkExpiresAt: p.Now().Add(identity.LinkLifetime)})
	p.runDue(e)
	p.account(identity.RegistrationConfirmed{Account: laura, Invitation: again, Credential: credential})
	p.account(identity.UserAttached{Account: laura, Municipality: municipality, School: school, Email: address})
	p.runDue(e)
	p.account(identity.LoginCodeIssued{Account: laura, Challenge: challenge, Email: address, ExpiresAt: p.Now().Add(identity.CodeLifetime)})
	p.runDue(e)
	p.account(identity.LoginCodeAccepted{Account: laura, Challenge: challenge}, identity.SignedIn{Account: laura, Session: domain.NewID[domain.SessionID](), Method: identity.ByCode})
	p.runDue(e)
	for i, want := range []struct{ subject, text string }{
		{"Uzaicinājums reģistrēties Žurnālā", "Laura Ozola"},
		{"Atkārtots uzaicinājums reģistrēties Žurnālā", p.links.Registration(laura, again)},
		{"Jūsu Žurnāla kontam ir pievienota darbavieta", "Rīgas 99. vidusskola"},
		{"Žurnāla pieslēgšanās kods", "\n" + p.links.LoginCode(challenge) + "\n"},
	} {
		got := p.letters(4)[i]
		if got.To != address || got.Subject != want.subject || !strings.Contains(got.Text, want.text) {
			t.Errorf("letter %d: %s: %s\n%s", i, got.To, got.Subject, got.Text)
		}
	}
}

// Links that work no longer when their letter is to be sent are not sent.
func TestALetterThatIsOfNoUseIsNotSent(t *testing.T) {
	p := newPost(t)
	e := p.mailer()
	p.invite()
	again := domain.NewID[domain.InvitationID]()
	p.account(identity.InvitationResent{Account: laura, Invitation: again, Email: address, LinkExpiresAt: p.Now().Add(identity.LinkLifetime)})
	stop := p.start(e)
	p.runDue(e)
	if got := p.letters(1)[0]; !strings.Contains(got.Text, p.links.Registration(laura, again)) {
		t.Errorf("the older link was sent:\n%s", got.Text)
	}
	stop()

	p.account(identity.LoginCodeIssued{Account: laura, Challenge: challenge, Email: address, ExpiresAt: p.Now().Add(identity.CodeLifetime)})
	p.later(identity.CodeLifetime)
	p.start(e)
	p.runDue(e)
	p.letters(1)
	if got := p.undelivered(); len(got) != 0 {
		t.Errorf("told as undelivered: %+v", got)
	}
}

func TestAnInvitationThatCouldNotBeSentInTimeIsTold(t *testing.T) {
	p := newPost(t)
	office := p.office()
	office.Say(mailtest.Answers{Rcpt: mailtest.Refusal(450)})
	e := p.mailer()
	p.start(e)
	event, _ := p.invite()
	p.runDue(e)
	p.later(identity.LinkLifetime)
	office.Say(mailtest.Answers{})
	p.runDue(e)
	if state, _ := p.job(); state != "cancelled" || len(office.Letters()) != 0 {
		t.Errorf("the job is %s, %d letters", state, len(office.Letters()))
	}
	if got := p.undelivered(); len(got) != 1 || got[0].Event != event.ID || got[0].Reason != identity.ErrLinkExpired.Code || !got[0].At.Equal(p.Now()) {
		t.Errorf("got %+v", got)
	}
}

func TestAPutOffLetterIsSentLater(t *testing.T) {
	p := newPost(t)
	office := p.office()
	office.Say(mailtest.Answers{Data: mailtest.Refusal(451)})
	e := p.mailer()
	p.start(e)
	event, _ := p.invite()
	p.runDue(e)
	state, failures := p.job()
	if len(failures) == 0 || !strings.Contains(failures[0], "451") || state == "cancelled" || state == "completed" {
		t.Fatalf("the job is %s: %v", state, failures)
	}
	office.Say(mailtest.Answers{})
	p.later(time.Hour)
	p.runDue(e)
	letters := office.Letters()
	if state, _ := p.job(); state != "completed" || len(letters) != 1 || letters[0].To != address {
		t.Fatalf("the job is %s, letters %v", state, letters)
	}
	m, err := netmail.ReadMessage(strings.NewReader(letters[0].Text))
	if err != nil || !strings.HasPrefix(m.Header.Get("Message-Id"), "<"+event.ID.String()+".") || m.Header.Get("Date") != "Mon, 01 Sep 2025 09:00:00 +0300" {
		t.Errorf("got %v, %v", m.Header, err)
	}
	if got := p.undelivered(); len(got) != 0 {
		t.Errorf("told as undelivered: %+v", got)
	}
}

func TestARefusedLetterIsNotTriedAgainAndTheReasonIsKept(t *testing.T) {
	p := newPost(t)
	office := p.office()
	office.Say(mailtest.Answers{Rcpt: mailtest.Refusal(550)})
	e := p.mailer()
	p.start(e)
	event, _ := p.invite()
	p.runDue(e)
	if state, failures := p.job(); state != "cancelled" || len(failures) != 1 {
		t.Fatalf("the job is %s: %v", state, failures)
	}
	office.Say(mailtest.Answers{})
	p.later(24 * time.Hour)
	p.runDue(e)
	if n := len(office.Letters()); n != 0 {
		t.Errorf("tried again: %d letters", n)
	}
	got := p.undelivered()
	if len(got) != 1 || got[0].Event != event.ID || !strings.HasPrefix(got[0].Reason, "refused by the mail server: 550") {
		t.Errorf("got %+v", got)
	}
}

// The staff directory shows whose last letter was given up, until one arrives.
func TestAGivenUpLetterIsShownUntilOneArrives(t *testing.T) {
	p := newPost(t)
	office := p.office()
	office.Say(mailtest.Answers{Rcpt: mailtest.Refusal(550)})
	e := p.mailer()
	p.start(e)
	p.invite()
	p.runDue(e)
	other := domain.NewID[domain.AccountID]()
	shows := func(want ...reactions.Letter) {
		t.Helper()
		shown, err := e.LastLetters(t.Context(), laura, other)
		got, ok := shown[laura]
		got.At = got.At.UTC()
		if err != nil || len(shown) != len(want) || ok && got != want[0] {
			t.Errorf("got %+v, %v; want %+v", shown, err, want)
		}
	}
	shows(reactions.Letter{State: reactions.NotSent, Reason: "refused by the mail server: 550 5.1.1", At: p.Now()})
	office.Say(mailtest.Answers{Data: mailtest.Refusal(451)}) // put off: the last that is known is the one before
	p.account(identity.InvitationResent{
		Account: laura, Invitation: domain.NewID[domain.InvitationID](), Email: "laura@example.lv", LinkExpiresAt: p.Now().Add(identity.LinkLifetime),
	})
	p.runDue(e)
	shows(reactions.Letter{State: reactions.NotSent, Reason: "refused by the mail server: 550 5.1.1", At: p.Now()})
	office.Say(mailtest.Answers{})
	p.later(time.Minute)
	p.runDue(e)
	taken := p.Now()
	shows(reactions.Letter{State: reactions.Sent, At: taken})
	if n := len(office.Letters()); n != 1 {
		t.Errorf("%d letters", n)
	}

	office.Say(mailtest.Answers{Data: mailtest.Refusal(554)})
	p.later(time.Minute)
	p.account(identity.InvitationResent{
		Account: laura, Invitation: domain.NewID[domain.InvitationID](), Email: "laura@example.lv", LinkExpiresAt: p.Now().Add(identity.LinkLifetime),
	})
	p.runDue(e)
	shows(reactions.Letter{State: reactions.NotSent, Reason: "refused by the mail server: 554 5.1.1", At: p.Now()})
}

// Before the mail server has answered for good, nothing is shown; what is sent
// is.
func TestALetterThatIsSentIsShown(t *testing.T) {
	trace.Covers(t, "EMU-011")
	p := newPost(t)
	office := p.office()
	office.Say(mailtest.Answers{Rcpt: mailtest.Refusal(450)})
	e := p.mailer()
	p.start(e)
	p.invite()
	p.runDue(e)
	if shown, err := e.LastLetters(t.Context(), laura); err != nil || len(shown) != 0 {
		t.Errorf("put off: %+v, %v", shown, err)
	}
	office.Say(mailtest.Answers{})
	p.later(time.Hour)
	p.runDue(e)
	if shown, err := e.LastLetters(t.Context(), laura); err != nil || shown[laura].State != reactions.Sent || !shown[laura].At.Equal(p.Now()) {
		t.Errorf("sent: %+v, %v", shown, err)
	}
}

// A mail server may take a letter and send it back later. It is then shown as one
// that was refused at once.
func TestALetterThatComesBackIsShownAsUndelivered(t *testing.T) {
	p := newPost(t)
	office := p.office()
	e := p.mailer()
	p.start(e)
	event, _ := p.invite()
	p.runDue(e)
	bounce := func() mail.Bounce {
		t.Helper()
		letters := office.Letters()
		b, err := mail.ReadBounce(strings.NewReader(mailtest.Report("failed", "5.1.1", letters[len(letters)-1].Text)))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	by, first := access.System("command line"), bounce()
	for name, forged := range map[string]mail.Bounce{
		"another letter":   {Letter: uuid.New(), Position: first.Position},
		"another position": {Letter: first.Letter, Position: first.Position - 1}, "beyond the log": {Letter: first.Letter, Position: 1 << 40},
	} {
		if _, err := e.Returned(t.Context(), by, forged); !errors.Is(err, reactions.ErrNoLetter) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := e.Returned(t.Context(), access.Actor{Kind: domain.ActorAnonymous}, first); !errors.Is(err, access.ErrForbidden) {
		t.Errorf("anybody: %v", err)
	}
	if got := p.undelivered(); len(got) != 0 {
		t.Errorf("noted: %+v", got)
	}
	p.later(time.Hour)
	for range 2 { // the report may come twice
		if stream, err := e.Returned(t.Context(), by, first); err != nil || stream != identity.Accounts.Stream(laura) {
			t.Errorf("%s, %v", stream, err)
		}
	}
	want := lost{event.ID, "returned by a mail server: 5.1.1", p.Now()}
	if got := p.undelivered(); len(got) != 1 || got[0].Event != want.Event || got[0].Reason != want.Reason || !got[0].At.Equal(want.At) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if shown, err := e.LastLetters(t.Context(), laura); err != nil || shown[laura].State != reactions.NotSent {
		t.Errorf("shown: %+v, %v", shown, err)
	}

	p.account(identity.InvitationResent{
		Account: laura, Invitation: domain.NewID[domain.InvitationID](), Email: "laura@example.lv", LinkExpiresAt: p.Now().Add(identity.LinkLifetime),
	})
	p.runDue(e)
	if _, err := e.Returned(t.Context(), by, first); err != nil {
		t.Error(err)
	}
	if got := p.undelivered(); len(got) != 0 {
		t.Errorf("another letter has arrived since: %+v", got)
	}

	p.account(identity.EmailChanged{Account: laura, OldEmail: address, Email: "laura@example.lv"})
	p.runDue(e)
	for _, l := range office.Letters()[2:] { // one to each address
		b, err := mail.ReadBounce(strings.NewReader(mailtest.Report("failed", "5.1.1", l.Text)))
		if err == nil {
			_, err = e.Returned(t.Context(), by, b)
		}
		if err != nil {
			t.Errorf("%s: %v", l.To, err)
		}
	}
}

// An address with a header in it is refused long before (domain/identity). If
// one were in the log nevertheless, it would go nowhere.
func TestAnAddressWithAHeaderInItGoesNowhere(t *testing.T) {
	p := newPost(t)
	office := p.office()
	e := p.mailer()
	p.start(e)
	p.account(identity.UserInvited{
		Account: laura, Invitation: domain.NewID[domain.InvitationID](), GivenName: "Laura", FamilyName: "Ozola",
		Email: address + "\r\nBcc: eve@example.com", LinkExpiresAt: p.Now().Add(identity.LinkLifetime),
	})
	p.runDue(e)
	if state, _ := p.job(); state != "cancelled" || len(office.Letters()) != 0 {
		t.Errorf("the job is %s, letters %v", state, office.Letters())
	}
	if got := p.undelivered(); len(got) != 1 || got[0].Reason != mail.BadAddress {
		t.Errorf("got %+v", got)
	}
}

func TestALetterToAnErasedPersonIsNotSent(t *testing.T) {
	p := newPost(t)
	e := p.mailer()
	p.invite()
	p.request("example-"+uuid.NewString(), eventstore.Request{Erase: []uuid.UUID{laura.UUID}}, organisation.MunicipalityRegistered{Municipality: municipality, Name: "Rīga"})
	p.start(e)
	p.runDue(e)
	p.letters(0)
	if state, failures := p.job(); state != "cancelled" || len(failures) != 1 {
		t.Errorf("the job is %s: %v", state, failures)
	}
	if got := p.undelivered(); len(got) != 0 {
		t.Errorf("told as undelivered: %+v", got)
	}
}

// Whatever is read or built again from the log, nobody gets a second letter.
func TestReplaysSendNothing(t *testing.T) {
	p := newPost(t)
	e := p.mailer()
	stop := p.start(e)
	p.invite()
	p.account(identity.UserAttached{Account: laura, Municipality: municipality, School: school, Email: address})
	p.runDue(e)
	p.letters(2)

	for range 2 { // the server starts anew
		stop()
		e = p.mailer()
		stop = p.start(e)
		p.runDue(e)
	}
	if _, err := eventstore.Collect(p.log.ReadAll(t.Context(), 0, 0)); err != nil { // a rebuild reads all
		t.Fatal(err)
	}
	if err := e.Reset(t.Context(), reactions.Mail.Name); err != nil {
		t.Fatal(err)
	}
	if err := e.Replay(t.Context(), operator, reactions.Mail.Name, 2); !errors.Is(err, reactions.ErrNotParked) {
		t.Errorf("an event that was handled can be handled again: %v", err)
	}
	p.runDue(e)
	p.letters(2)

	p.account(identity.LoginCodeIssued{Account: laura, Challenge: challenge, Email: address, ExpiresAt: p.Now().Add(identity.CodeLifetime)})
	p.runDue(e) // it works still; a code for who is not registered is of no use
	p.letters(2)
}

type sender func(context.Context, mail.Letter) error

func (s sender) Send(ctx context.Context, l mail.Letter) error { return s(ctx, l) }

// A server that is killed while it sends leaves a job that nobody does. It is
// taken up when the server is back.
func TestALetterUnderWayWhenTheServerIsKilledIsSent(t *testing.T) {
	p := newPost(t)
	stop := p.start(p.mailer())
	p.invite()
	p.drain(p.mailer())
	stop()
	if _, err := p.pool.Exec(t.Context(), `DELETE FROM reaction.dev_mail`); err != nil {
		t.Fatal(err)
	}
	if _, err := p.pool.Exec(t.Context(), `UPDATE jobs.river_job SET state = 'running', attempt = 1, attempted_at = now(), finalized_at = NULL`); err != nil {
		t.Fatal(err)
	}
	e := p.mailer()
	p.start(e)
	p.runDue(e)
	p.letters(1)
}

// A letter that hangs does not keep the server from stopping.
func TestALetterUnderWayIsTriedAgainAfterAStop(t *testing.T) {
	p := newPost(t)
	sending := make(chan struct{})
	p.sender = sender(func(ctx context.Context, _ mail.Letter) error {
		close(sending)
		<-ctx.Done()
		return ctx.Err()
	})
	stop := p.start(p.mailer())
	p.invite()
	<-sending
	began := time.Now()
	stop()
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("stopping took %v", took)
	}
	p.sender = p.box
	e := p.mailer()
	p.start(e)
	p.runDue(e)
	p.letters(1)
}

// In production nobody asks for another try: river waits, longer each time, and
// then tries by itself.
func TestAPutOffLetterIsTriedAgainByItself(t *testing.T) {
	p := newPost(t)
	office := p.office()
	office.Say(mailtest.Answers{Rcpt: mailtest.Refusal(450)})
	c := p.config(reactions.Mail)
	c.Dev, c.Workers = false, river.NewWorkers()
	river.AddWorker(c.Workers, &reactions.Mailer{
		Pool: p.pool, Log: p.log, Keys: p.keys, Catalogue: catalogue.All, Links: p.links, Sender: p.sender,
		PublicURL: "https://zurnals.example.lv/", Now: p.Now,
	})
	p.start(p.open(c))
	p.invite()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	// After a failure: how many there have been, and how long river waits.
	pause := func(tries int) (seconds float64) {
		for ctx := p.patiently(); ; {
			err := p.pool.QueryRow(ctx, `SELECT extract(epoch FROM scheduled_at - attempted_at) FROM jobs.river_job WHERE attempt = $1 AND state <> 'running'`, tries).Scan(&seconds)
			if err == nil {
				return seconds
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				t.Fatal(err)
			}
		}
	}
	first := pause(1)
	second := pause(2)
	if first < 0.8 || first > 2 || second < 10 || second > 25 {
		t.Errorf("tried again after %v s and %v s", first, second)
	}
	office.Say(mailtest.Answers{})
	if _, err := p.pool.Exec(t.Context(), `UPDATE jobs.river_job SET scheduled_at = now()`); err != nil { // the time has come
		t.Fatal(err)
	}
	p.await(office, 1)
	if state, _ := p.job(); state == "cancelled" || office.Taken() != 1 {
		t.Errorf("the job is %s, %d letters", state, office.Taken())
	}
}
