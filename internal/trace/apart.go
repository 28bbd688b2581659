package trace

// A Why says why no test shows a requirement as a whole.
type Why string

const (
	Page  Why = "concerns only pages"                // what a page offers or says; the backend answers no differently
	Staff Why = "is done by people"                  // a letter to the support, which nothing in the program sends
	Later Why = "waits for a part that is not there" // the rest of it is shown by tests, see Partly
)

// A Gap is a requirement or scenario that no test shows as a whole.
type Gap struct {
	ID      string
	Why     Why
	Missing string
}

// Apart are the requirements EMU-001 to EMU-097 and the scenarios of accounts
// and roles that no test shows as a whole. A test holds this list to what the
// tests say of themselves: it cannot grow, nor go stale, unnoticed.
var Apart = []Gap{
	{"EMU-003", Page, "two buttons of the list of users; what they do is EMU-004 and EMU-015"},
	{"EMU-005", Page, "choosing a file or dropping it"},
	{"EMU-014", Page, "opening a form and its heading"},
	{"EMU-021", Page, "advice on where to look for a letter; the state of each letter is in the list of users"},
	{"EMU-062", Page, "advice to somebody without an account"},
	{"EMU-086", Page, "advice on where to look for a letter"},

	{"EMU-039", Staff, "what somebody writes to the support"},
	{"EMU-083", Staff, "what somebody writes to the support; what it does then is EMU-097"},
	{"EMU-088", Staff, "what somebody writes to the support"},
}
