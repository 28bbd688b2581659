package httpapi

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"zurnals/commands"
	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/internal/sheet"
	"zurnals/internal/texts"
)

// maxUserFile is how large a spreadsheet of users may be.
const maxUserFile = 5 << 20

// userForm is the spreadsheet that users are loaded from.
var userForm = sheet.Form{Sheet: "Lietotāji", Headings: commands.UserColumns, MaxRows: commands.UserRowsMax}

// userTemplate is the sample that people download and fill in (EMU-006,
// EMU-007). Its headings are always Latvian; the instructions are in both
// languages.
var userTemplate = sheet.Template{
	Form: userForm,
	Columns: []sheet.Column{
		{Width: 22, Hint: "Piemēram: Anna Marija", Check: "LEN({})<=100", Wrong: "Ne vairāk kā 100 zīmju."},
		{Width: 26, Hint: "Piemēram: Paraudziņa-Bērziņa", Check: "LEN({})<=100", Wrong: "Ne vairāk kā 100 zīmju."},
		{Width: 18, Hint: "11 cipari ar domuzīmi vai bez tās, piemēram: 010170-11110", Check: "AND(LEN({})>=11,LEN({})<=12)", Wrong: "Jābūt 11 cipariem ar domuzīmi vai bez tās."},
		{Width: 36, Hint: "Katram sava adrese; uz to sūtīs reģistrācijas saiti. Piemēram: anna@skola.example", Check: `ISNUMBER(FIND("@",{}))`, Wrong: "Tā nav e-pasta adrese."},
	},
	Guide: "Norādes",
	Guidance: []string{
		"Lietotāju augšupielāde: norādes",
		"1. Aizpildiet lapu “Lietotāji”: viena rinda — viens lietotājs. Visi četri lauki ir obligāti. Virsrakstus 1. rindā nemainiet.",
		"2. Visas šūnas ir teksts. Personas kodu rakstiet ar domuzīmi (010170-11110) vai bez tās, bet nepārveidojiet par skaitli vai datumu: tā pazūd sākuma nulles.",
		"3. Formulas, apvienotas šūnas un papildu kolonnas netiek pieņemtas.",
		"4. Katrai personai ir sava e-pasta adrese, un katra persona un adrese datnē ir vienreiz.",
		"5. Datnē var būt līdz 5000 lietotājiem. Saglabājiet to kā .xlsx.",
		"6. Ja datnē ir kāda kļūda, netiek izveidots neviens lietotājs, un jums parāda visas kļūdas pēc rindas un kolonnas. Vispirms varat datni tikai pārbaudīt.",
		"7. Kam konts jau ir, to pievieno šai skolai ar esošo kontu. Pārējiem uz norādīto adresi nosūta reģistrācijas saiti, kas derīga 5 dienas.",
		"",
		"Loading users: instructions",
		"1. Fill in the sheet “Lietotāji”: one row, one user. All four fields are required: given name, family name, personal code, e-mail address. Do not change the headings in row 1.",
		"2. All cells are text. Write the personal code with its hyphen or without, but do not turn it into a number or a date: leading zeros would be lost.",
		"3. Formulas, merged cells and further columns are not taken.",
		"4. Everybody has an address of their own, and each person and address stands in the file once.",
		"5. Up to 5000 users fit into one file. Save it as .xlsx.",
		"6. If anything in the file is wrong, no user is created, and you are shown every mistake by row and column. You can have the file checked first.",
		"7. Who has an account already keeps it, and it is attached to this school. The others are mailed a registration link that works for 5 days.",
	},
}

// userImportRoutes are for loading users from a spreadsheet.
func (a *API) userImportRoutes() {
	const tag = "users"
	handle(a, route{
		id: "get-user-import-template", method: "GET", path: "/schools/{school}/user-import-template", tag: tag, permission: access.ManageUsers,
		summary: "The sample of a file with users, with instructions", produces: []string{kindXLSX},
	}, a.userImportTemplate)
	handle(a, route{
		id: "import-users", method: "POST", path: "/schools/{school}/user-imports", tag: tag, permission: access.ManageUsers, status: http.StatusCreated,
		summary: "Have everybody in a spreadsheet work at a school (Lietotāju augšupielāde)",
		about: "A file in which anything is wrong is refused as a whole, with every mistake by row and column, unless accept_valid_rows asks for the good rows. " +
			"With dry_run nothing is changed, and what would happen is answered with status 200. " +
			"Sent again under its Idempotency-Key, a loading that broke off goes on.",
		maxBody: maxUserFile + 64<<10, limit: limitUpload,
	}, a.importUsers)
	handle(a, route{
		id: "get-user-import", method: "GET", path: "/schools/{school}/user-imports/{import}", tag: tag, permission: access.ManageUsers,
		summary: "How far a loading of users is, and what came of it",
	}, a.getUserImport)
}

type fileOut struct {
	ContentType string `header:"Content-Type"`
	Disposition string `header:"Content-Disposition"`
	Body        []byte
}

func (a *API) userImportTemplate(ctx context.Context, by access.Actor, in *schoolIn) (*fileOut, error) {
	place, err := a.school(ctx, in.School)
	if err == nil {
		err = by.Allow(access.At(access.ManageUsers, place))
	}
	var file bytes.Buffer
	if err == nil {
		err = userTemplate.Write(&file)
	}
	if err != nil {
		return nil, err
	}
	return &fileOut{ContentType: kindXLSX, Disposition: attachment("lietotāju paraugs.xlsx"), Body: file.Bytes()}, nil
}

type importUsersIn struct {
	School      string `path:"school" maxLength:"36"`
	DryRun      bool   `query:"dry_run" doc:"only tell what would happen"`
	AcceptValid bool   `query:"accept_valid_rows" doc:"take the good rows of a file that has wrong ones too"`
	RawBody     huma.MultipartFormFiles[struct {
		Source string        `form:"source" required:"true" enum:"EMU" doc:"whose sample the file follows (Augšupielādes faila avots)"`
		File   huma.FormFile `form:"file" required:"true" contentType:"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet,application/octet-stream,application/zip" doc:"XLSX, at most 5 MiB and 5000 users"`
	}]
}

// A userImport is a loading of users, or what a dry run says of it.
type userImport struct {
	ID          *domain.UserImportID `json:"id,omitempty" doc:"absent for a dry run"`
	DryRun      bool                 `json:"dry_run,omitempty"`
	State       string               `json:"state" enum:"checked,running,completed" doc:"checked: a dry run"`
	File        string               `json:"file_sha256"`
	Rows        int                  `json:"rows"`
	Done        int                  `json:"rows_done"`
	Invited     int                  `json:"invited"`
	Attached    int                  `json:"attached" doc:"had an account elsewhere"`
	AlreadyHere int                  `json:"already_here" doc:"skipped"`
	Refused     int                  `json:"refused"`
	Problems    []userProblem        `json:"problems" doc:"by row"`
}

// A userProblem is what is wrong with one row, or worth knowing of it.
type userProblem struct {
	Row    int    `json:"row" doc:"of the file; the heading is row 1"`
	Column string `json:"column,omitempty"`
	Code   string `json:"code"`
	Detail string `json:"detail" doc:"in the language asked for"`
	Notice bool   `json:"notice" doc:"the row was taken all the same"`
}

type userImportOut struct {
	Status   int
	Location string `header:"Location"`
	Body     userImport
}

func (a *API) importUsers(ctx context.Context, by access.Actor, in *importUsersIn) (*userImportOut, error) {
	place, err := a.school(ctx, in.School)
	if err == nil { // before any work on the file
		err = by.Allow(access.At(access.ManageUsers, place))
	}
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(in.RawBody.Data().File, maxUserFile+1))
	switch {
	case err != nil:
		return nil, err
	case len(data) > maxUserFile:
		return nil, errTooLarge
	}
	records, err := sheet.Read(data, userForm)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	cmd := commands.ImportUsers{School: place.School, File: hex.EncodeToString(sum[:]), DryRun: in.DryRun, AcceptValid: in.AcceptValid}
	for _, r := range records {
		cmd.Rows = append(cmd.Rows, commands.UserRow{
			Row: r.Row, GivenName: r.Cells[0], FamilyName: r.Cells[1], PersonalCode: r.Cells[2], Email: r.Cells[3], Wrong: r.Wrong,
		})
	}
	report, err := a.Commands.ImportUsers(ctx, by, cmd)
	if err != nil {
		return nil, err
	}
	out := &userImportOut{Status: http.StatusCreated, Body: asked(ctx).userImport(report)}
	if out.Body.DryRun = in.DryRun; in.DryRun {
		out.Status, out.Body.State = http.StatusOK, "checked"
		return out, nil
	}
	out.Location = prefix + pathOf(place) + "/user-imports/" + report.ID.String()
	return out, nil
}

type userImportIn struct {
	School string `path:"school" maxLength:"36"`
	Import string `path:"import" maxLength:"36"`
}

func (a *API) getUserImport(ctx context.Context, by access.Actor, in *userImportIn) (*userImportOut, error) {
	school, err := domain.ParseID[domain.SchoolID](in.School)
	if err != nil {
		return nil, err
	}
	id, err := domain.ParseID[domain.UserImportID](in.Import)
	if err != nil {
		return nil, err
	}
	report, err := a.Commands.UserImport(ctx, by, school, id)
	if err != nil {
		return nil, err
	}
	return &userImportOut{Status: http.StatusOK, Body: asked(ctx).userImport(report)}, nil
}

// userImport returns a loading as it is answered.
func (q *request) userImport(r commands.UserImport) userImport {
	u := userImport{
		ID: some(r.ID), State: "running", File: r.File, Rows: r.Rows, Done: r.Done,
		Invited: r.Invited, Attached: r.Attached, AlreadyHere: r.AlreadyHere, Refused: r.Refused,
		Problems: make([]userProblem, 0, len(r.Problems)),
	}
	if r.Completed() {
		u.State = "completed"
	}
	for _, p := range r.Problems {
		u.Problems = append(u.Problems, q.userProblem(p))
	}
	return u
}

func (q *request) userProblem(p commands.RowProblem) userProblem {
	return userProblem{Row: p.Row, Column: p.Column, Code: p.Code, Detail: texts.Format(q.language, p.Code, p.What), Notice: p.Notice}
}
