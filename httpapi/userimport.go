package httpapi

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"zurnals/commands"
	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/internal/sheet"
	"zurnals/internal/texts"
	"zurnals/projections/staff"
)

// maxUserFile is how large a spreadsheet of users may be.
const maxUserFile = 5 << 20

// userForm is the spreadsheet that users are loaded from: one of a municipality
// has no classes.
func userForm(place access.Scope) sheet.Form {
	f := sheet.Form{Sheet: "Lietotāji", Headings: commands.UserColumns, Optional: commands.UserColumnsOptional, MaxRows: commands.UserRowsMax}
	if place.School.IsZero() {
		f.Headings, f.Optional = f.Headings[:len(f.Headings)-1], f.Optional-1
	}
	return f
}

// userTemplate returns the sample that people download and fill in (EMU-006,
// EMU-007). Its headings are always Latvian; the instructions are in both
// languages.
func userTemplate(place access.Scope) sheet.Template {
	t := sheet.Template{Form: userForm(place), Columns: userColumns[:len(userForm(place).Headings)], Guide: "Norādes", Guidance: userGuidance}
	if place.School.IsZero() {
		t.Columns = slices.Clone(t.Columns)
		t.Columns[4].Hint = "Piemēram: Administrators, Darbinieks. Var palikt tukšs."
	}
	return t
}

var (
	userColumns = []sheet.Column{
		{Width: 22, Hint: "Piemēram: Anna Marija", Check: "LEN({})<=100", Wrong: "Ne vairāk kā 100 zīmju."},
		{Width: 26, Hint: "Piemēram: Paraudziņa-Bērziņa", Check: "LEN({})<=100", Wrong: "Ne vairāk kā 100 zīmju."},
		{Width: 18, Hint: "11 cipari ar domuzīmi vai bez tās, piemēram: 010170-11110", Check: "AND(LEN({})>=11,LEN({})<=12)", Wrong: "Jābūt 11 cipariem ar domuzīmi vai bez tās."},
		{Width: 36, Hint: "Katram sava adrese; uz to sūtīs reģistrācijas saiti. Piemēram: anna@skola.example", Check: `ISNUMBER(FIND("@",{}))`, Wrong: "Tā nav e-pasta adrese."},
		{Width: 30, Hint: "Piemēram: Vadība, Atbalsts. Var palikt tukšs."},
		{Width: 18, Hint: "Klases audzinātājam: kura klase, piemēram: 6.a. Var palikt tukšs."},
	}
	userGuidance = []string{
		"Lietotāju augšupielāde: norādes",
		"1. Aizpildiet lapu “Lietotāji”: viena rinda — viens lietotājs. Lauki ar * ir obligāti. Virsrakstus 1. rindā nemainiet.",
		"2. Visas šūnas ir teksts. Personas kodu rakstiet ar domuzīmi (010170-11110) vai bez tās, bet nepārveidojiet par skaitli vai datumu: tā pazūd sākuma nulles.",
		"3. Formulas, apvienotas šūnas un papildu kolonnas netiek pieņemtas.",
		"4. Katrai personai ir sava e-pasta adrese, un katra persona un adrese datnē ir vienreiz.",
		"5. Datnē var būt līdz 5000 lietotājiem. Saglabājiet to kā .xlsx.",
		"6. Ja datnē ir kāda kļūda, netiek izveidots neviens lietotājs, un jums parāda visas kļūdas pēc rindas un kolonnas. Vispirms varat datni tikai pārbaudīt.",
		"7. Kam konts jau ir, to pievieno šai darbavietai ar esošo kontu. Pārējiem uz norādīto adresi nosūta reģistrācijas saiti, kas derīga 5 dienas.",
		"8. Lomas rakstiet ar komatu starp tām: skolā — Vadība, Atbalsts, Administrators; pašvaldībā — Darbinieks, Administrators. Klases audzinātājam ierakstiet klasi, piemēram, 6.a. Administratora lomu piešķir tikai pašvaldība. Bez lomas lietotājs redz tikai savu profilu.",
		"",
		"Loading users: instructions",
		"1. Fill in the sheet “Lietotāji”: one row, one user. Fields with * are required: given name, family name, personal code, e-mail address. Do not change the headings in row 1.",
		"2. All cells are text. Write the personal code with its hyphen or without, but do not turn it into a number or a date: leading zeros would be lost.",
		"3. Formulas, merged cells and further columns are not taken.",
		"4. Everybody has an address of their own, and each person and address stands in the file once.",
		"5. Up to 5000 users fit into one file. Save it as .xlsx.",
		"6. If anything in the file is wrong, no user is created, and you are shown every mistake by row and column. You can have the file checked first.",
		"7. Who has an account already keeps it, and it is attached to this workplace. The others are mailed a registration link that works for 5 days.",
		"8. Put commas between roles: in a school Vadība (management), Atbalsts (support), Administrators; in a municipality Darbinieks (employee), Administrators. For a class teacher write the class, such as 6.a. Only the municipality gives the role of an administrator. Without a role a user sees only the own profile.",
	}
)

// userImportRoutes are for loading users from a spreadsheet.
func (a *API) userImportRoutes() {
	const tag, manage = "users", access.ManageUsers
	const about = "A file in which anything is wrong is refused as a whole, with every mistake by row and column, unless accept_valid_rows asks for the good rows. " +
		"With dry_run nothing is changed, and what would happen is answered with status 200. " +
		"Sent again under its Idempotency-Key, a loading that broke off goes on. How far one is tells the list of loadings."
	files := []string{kindXLSX, kindCSV}
	handle(a, route{
		id: "get-user-import-template", method: "GET", path: "/schools/{school}/user-import-template", tag: tag, permission: manage,
		summary: "The sample of a file with users, with instructions", produces: files[:1],
	}, func(ctx context.Context, by access.Actor, in *schoolIn) (*fileOut, error) {
		place, err := a.school(ctx, in.School)
		return a.userImportTemplate(by, place, err)
	})
	handle(a, route{
		id: "import-users", method: "POST", path: "/schools/{school}/user-imports", tag: tag, permission: manage, status: http.StatusCreated,
		summary: "Have everybody in a spreadsheet work at a school (Lietotāju augšupielāde)", about: about,
		maxBody: maxUserFile + 64<<10, limit: limitUpload,
	}, func(ctx context.Context, by access.Actor, in *importToSchoolIn) (*userImportOut, error) {
		place, err := a.school(ctx, in.School)
		return a.importUsers(ctx, by, place, err, in.ImportIn, in.RawBody)
	})
	handle(a, route{
		id: "list-user-imports", method: "GET", path: "/schools/{school}/user-imports", tag: tag, permission: manage,
		summary: "Files that users were loaded from, and how far each is", about: "The newest first. Also while a file is being loaded.",
	}, func(ctx context.Context, by access.Actor, in *schoolImportsIn) (*list[staff.Import], error) {
		place, err := a.school(ctx, in.School)
		return a.userImports(ctx, by, place, err, in.PageOnly)
	})
	handle(a, route{
		id: "get-user-import", method: "GET", path: "/schools/{school}/user-imports/{import}", tag: tag, permission: manage,
		summary: "How far a loading of users is, and what came of it",
	}, func(ctx context.Context, by access.Actor, in *schoolImportIn) (*userImportOut, error) {
		place, err := a.school(ctx, in.School)
		return a.userImport(ctx, by, place, err, in.Import)
	})
	handle(a, route{
		id: "get-user-import-report", method: "GET", path: "/schools/{school}/user-imports/{import}/report", tag: tag, permission: manage,
		summary: "What came of a loading, row by row, as a file", produces: files,
	}, func(ctx context.Context, by access.Actor, in *schoolReportIn) (*huma.StreamResponse, error) {
		place, err := a.school(ctx, in.School)
		return a.userImportReport(ctx, by, place, err, in.Import, in.Format)
	})

	handle(a, route{
		id: "get-municipality-user-import-template", method: "GET", path: "/municipalities/{municipality}/user-import-template", tag: tag, permission: manage,
		summary: "The sample of a file with users of a municipality, with instructions", produces: files[:1],
	}, func(ctx context.Context, by access.Actor, in *municipalityIn) (*fileOut, error) {
		place, err := a.municipality(ctx, in.Municipality)
		return a.userImportTemplate(by, place, err)
	})
	handle(a, route{
		id: "import-municipality-users", method: "POST", path: "/municipalities/{municipality}/user-imports", tag: tag, permission: manage, status: http.StatusCreated,
		summary: "Have everybody in a spreadsheet work at a municipality", about: about,
		maxBody: maxUserFile + 64<<10, limit: limitUpload,
	}, func(ctx context.Context, by access.Actor, in *importToMunicipalityIn) (*userImportOut, error) {
		place, err := a.municipality(ctx, in.Municipality)
		return a.importUsers(ctx, by, place, err, in.ImportIn, in.RawBody)
	})
	handle(a, route{
		id: "list-municipality-user-imports", method: "GET", path: "/municipalities/{municipality}/user-imports", tag: tag, permission: manage,
		summary: "Files that users of a municipality were loaded from, and how far each is", about: "The newest first. Also while a file is being loaded.",
	}, func(ctx context.Context, by access.Actor, in *municipalityImportsIn) (*list[staff.Import], error) {
		place, err := a.municipality(ctx, in.Municipality)
		return a.userImports(ctx, by, place, err, in.PageOnly)
	})
	handle(a, route{
		id: "get-municipality-user-import", method: "GET", path: "/municipalities/{municipality}/user-imports/{import}", tag: tag, permission: manage,
		summary: "How far a loading of users of a municipality is, and what came of it",
	}, func(ctx context.Context, by access.Actor, in *municipalityImportIn) (*userImportOut, error) {
		place, err := a.municipality(ctx, in.Municipality)
		return a.userImport(ctx, by, place, err, in.Import)
	})
	handle(a, route{
		id: "get-municipality-user-import-report", method: "GET", path: "/municipalities/{municipality}/user-imports/{import}/report", tag: tag, permission: manage,
		summary: "What came of a loading of users of a municipality, row by row, as a file", produces: files,
	}, func(ctx context.Context, by access.Actor, in *municipalityReportIn) (*huma.StreamResponse, error) {
		place, err := a.municipality(ctx, in.Municipality)
		return a.userImportReport(ctx, by, place, err, in.Import, in.Format)
	})
}

type fileOut struct {
	ContentType string `header:"Content-Type"`
	Disposition string `header:"Content-Disposition"`
	Body        []byte
}

func (a *API) userImportTemplate(by access.Actor, place access.Scope, err error) (*fileOut, error) {
	if err == nil {
		err = by.Allow(access.At(access.ManageUsers, place))
	}
	var file bytes.Buffer
	if err == nil {
		err = userTemplate(place).Write(&file)
	}
	if err != nil {
		return nil, err
	}
	return &fileOut{ContentType: kindXLSX, Disposition: attachment("lietotāju paraugs.xlsx"), Body: file.Bytes()}, nil
}

type (
	importToSchoolIn struct {
		School string `path:"school" maxLength:"36"`
		ImportIn
		RawBody usersFile
	}
	importToMunicipalityIn struct {
		Municipality string `path:"municipality" maxLength:"36"`
		ImportIn
		RawBody usersFile
	}

	// ImportIn says what is to be done with a file.
	ImportIn struct {
		DryRun      bool `query:"dry_run" doc:"only tell what would happen"`
		AcceptValid bool `query:"accept_valid_rows" doc:"take the good rows of a file that has wrong ones too"`
	}

	usersFile = huma.MultipartFormFiles[usersForm]
	usersForm struct {
		Source string        `form:"source" required:"true" enum:"EMU" doc:"whose sample the file follows (Augšupielādes faila avots)"`
		File   huma.FormFile `form:"file" required:"true" contentType:"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet,application/octet-stream,application/zip" doc:"XLSX, at most 5 MiB and 5000 users"`
	}

	schoolImportsIn struct {
		School string `path:"school" maxLength:"36"`
		PageOnly
	}
	municipalityImportsIn struct {
		Municipality string `path:"municipality" maxLength:"36"`
		PageOnly
	}
	schoolImportIn struct {
		School string `path:"school" maxLength:"36"`
		Import string `path:"import" maxLength:"36"`
	}
	municipalityImportIn struct {
		Municipality string `path:"municipality" maxLength:"36"`
		Import       string `path:"import" maxLength:"36"`
	}
	schoolReportIn struct {
		School string `path:"school" maxLength:"36"`
		Import string `path:"import" maxLength:"36"`
		FormatIn
	}
	municipalityReportIn struct {
		Municipality string `path:"municipality" maxLength:"36"`
		Import       string `path:"import" maxLength:"36"`
		FormatIn
	}

	// FormatIn asks for a file of a kind.
	FormatIn struct {
		Format string `query:"format" enum:"xlsx,csv" default:"xlsx"`
	}
)

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

func (a *API) importUsers(ctx context.Context, by access.Actor, place access.Scope, err error, in ImportIn, body usersFile) (*userImportOut, error) {
	if err == nil { // before any work on the file
		err = by.Allow(access.At(access.ManageUsers, place))
	}
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(body.Data().File, maxUserFile+1))
	switch {
	case err != nil:
		return nil, err
	case len(data) > maxUserFile:
		return nil, errTooLarge
	}
	records, err := sheet.Read(data, userForm(place))
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	cmd := commands.ImportUsers{Place: place, File: hex.EncodeToString(sum[:]), DryRun: in.DryRun, AcceptValid: in.AcceptValid}
	for _, r := range records {
		row := commands.UserRow{Row: r.Row, GivenName: r.Cells[0], FamilyName: r.Cells[1], PersonalCode: r.Cells[2], Email: r.Cells[3], Roles: r.Cells[4], Wrong: r.Wrong}
		if len(r.Cells) > 5 {
			row.Classes = r.Cells[5]
		}
		cmd.Rows = append(cmd.Rows, row)
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

func (a *API) userImports(ctx context.Context, by access.Actor, place access.Scope, err error, in PageOnly) (*list[staff.Import], error) {
	if err != nil {
		return nil, err
	}
	all, next, err := staff.Imports(ctx, a.Views, by, place, in.asked())
	if err != nil {
		return nil, err
	}
	return listOf(all, next), nil
}

func (a *API) userImport(ctx context.Context, by access.Actor, place access.Scope, err error, id string) (*userImportOut, error) {
	report, err := a.findUserImport(ctx, by, place, err, id)
	if err != nil {
		return nil, err
	}
	return &userImportOut{Status: http.StatusOK, Body: asked(ctx).userImport(report)}, nil
}

func (a *API) findUserImport(ctx context.Context, by access.Actor, place access.Scope, err error, id string) (commands.UserImport, error) {
	if err != nil {
		return commands.UserImport{}, err
	}
	found, err := domain.ParseID[domain.UserImportID](id)
	if err != nil {
		return commands.UserImport{}, err
	}
	return a.Commands.UserImport(ctx, by, place, found)
}

// userImportReport writes what is to be said of rows, and how many were taken.
func (a *API) userImportReport(ctx context.Context, by access.Actor, place access.Scope, err error, id, format string) (*huma.StreamResponse, error) {
	report, err := a.findUserImport(ctx, by, place, err, id)
	if err != nil {
		return nil, err
	}
	q := asked(ctx)
	said := q.userImport(report)
	return a.tableFile(ctx, format, func(f *tableFile) error {
		title := texts.Of(q.language, "users.import_report")
		if err := f.begin(title, title); err != nil {
			return err
		}
		if err := f.table.Head(q.words("users.row", "users.column", "users.what", "users.code", "users.remark")); err != nil {
			return err
		}
		for _, p := range said.Problems {
			what := texts.Of(q.language, "users.refused")
			if p.Notice {
				what = texts.Of(q.language, "users.noted")
			}
			if err := f.table.Row([]any{p.Row, p.Column, what, p.Code, p.Detail}); err != nil {
				return err
			}
		}
		for _, c := range []struct {
			code string
			n    int
		}{{"users.rows", said.Rows}, {"users.invited", said.Invited}, {"users.attached", said.Attached}, {"users.already_here", said.AlreadyHere}, {"users.refused", said.Refused}} {
			if err := f.table.Row([]any{nil, nil, texts.Of(q.language, c.code), nil, c.n}); err != nil {
				return err
			}
		}
		return nil
	})
}

// words returns texts in the language that is asked for.
func (q *request) words(codes ...string) []string {
	all := make([]string, len(codes))
	for i, code := range codes {
		all[i] = texts.Of(q.language, code)
	}
	return all
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
