package httpapi

import (
	"bytes"
	"context"
	"io"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"zurnals/commands"
	"zurnals/domain/access"
	"zurnals/internal/sheet"
)

// maxExamFile is how large a spreadsheet of results may be.
const maxExamFile = 2 << 20

// examTemplate is the spreadsheet that results of exams are loaded from.
var examTemplate = sheet.Template{
	Form: sheet.Form{Sheet: "Rezultāti", Headings: commands.ExamColumns, MaxRows: commands.ExamRowsMax},
	Columns: []sheet.Column{
		{Width: 18, Hint: "11 cipari ar domuzīmi vai bez tās, piemēram: 010170-11110", Check: "AND(LEN({})>=11,LEN({})<=12)", Wrong: "Jābūt 11 cipariem ar domuzīmi vai bez tās."},
		{Width: 40, Hint: "Piemēram: Matemātika 9. klasei. Vienu eksāmenu vienmēr sauciet vienādi.", Check: "LEN({})<=200", Wrong: "Ne vairāk kā 200 zīmju."},
		{Width: 14, Hint: "Gads, mēnesis, diena, piemēram: 2026-05-26", Check: "LEN({})=10", Wrong: "Jābūt datumam kā 2026-05-26."},
		{Width: 14, Hint: "No 0 līdz 100, ar ne vairāk kā vienu zīmi aiz komata, piemēram: 87,5"},
	},
	Guide: "Norādes",
	Guidance: []string{
		"Eksāmenu rezultāti: norādes",
		"1. Aizpildiet lapu “Rezultāti”: viena rinda — viens skolēna rezultāts vienā eksāmenā. Visi lauki ir obligāti. Virsrakstus 1. rindā nemainiet.",
		"2. Visas šūnas ir teksts. Personas kodu un datumu nepārveidojiet par skaitli vai datumu.",
		"3. Datnē var būt līdz 900 rindām. Saglabājiet to kā .xlsx.",
		"4. Ja datnē ir kāda kļūda, nekas netiek ierakstīts, un jums parāda visas kļūdas pēc rindas un kolonnas. Vispirms varat datni tikai pārbaudīt.",
		"5. To pašu datni var augšupielādēt vēlreiz: zināms rezultāts netiek ierakstīts otrreiz, cits rezultāts tam pašam skolēnam, eksāmenam un datumam to izlabo.",
		"",
		"Results of exams: instructions",
		"1. Fill in the sheet “Rezultāti”: one row, one result of a pupil in an exam: personal code, exam, date, percentage. All fields are required. Do not change the headings in row 1.",
		"2. All cells are text. Do not turn the personal code or the date into a number or a date.",
		"3. Up to 900 rows fit into one file. Save it as .xlsx.",
		"4. If anything in the file is wrong, nothing is recorded, and you are shown every mistake by row and column. You can have the file checked first.",
		"5. The same file can be loaded again: a result that is known is not recorded twice, and another one of the same pupil, exam and date corrects it.",
	},
}

// examRoutes are for whoever runs the exams and delivers their results.
func (a *API) examRoutes() {
	const tag, record = "performance", access.RecordExamResults
	handle(a, route{
		id: "get-exam-result-template", method: "GET", path: "/schools/{school}/exam-result-template", tag: tag, permission: record,
		summary: "The sample of a file with results of exams, with instructions", produces: []string{kindXLSX},
	}, a.examResultTemplate)
	handle(a, route{
		id: "record-exam-results", method: "POST", path: "/schools/{school}/exam-results", tag: tag, permission: record, status: http.StatusCreated,
		summary: "Record the results that a spreadsheet has of pupils of a school",
		about: "A file in which anything is wrong is refused as a whole, with every mistake by row and column, unless accept_valid_rows asks for the good rows. " +
			"With dry_run nothing is changed, and what would happen is answered with status 200. A result that is known is nothing new; another percentage corrects it.",
		maxBody: maxExamFile + 64<<10, limit: limitUpload,
	}, a.recordExamResults)
}

type (
	recordExamResultsIn struct {
		School string `path:"school" maxLength:"36"`
		ImportIn
		RawBody huma.MultipartFormFiles[struct {
			File huma.FormFile `form:"file" required:"true" contentType:"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet,application/octet-stream,application/zip" doc:"XLSX, at most 2 MiB and 900 rows"`
		}]
	}

	recordExamResultsOut struct {
		Status int
		Body   examResults
	}
)

// examResults are what came of a file with results, or what a dry run says of it.
type examResults struct {
	DryRun   bool          `json:"dry_run,omitempty"`
	Rows     int           `json:"rows"`
	Recorded int           `json:"recorded" doc:"new, or corrected"`
	Known    int           `json:"known" doc:"had been recorded before"`
	Refused  int           `json:"refused"`
	Problems []userProblem `json:"problems" doc:"by row"`
}

func (a *API) examResultTemplate(ctx context.Context, by access.Actor, in *schoolIn) (*fileOut, error) {
	place, err := a.school(ctx, in.School)
	if err == nil {
		err = by.Allow(access.At(access.RecordExamResults, place))
	}
	var file bytes.Buffer
	if err == nil {
		err = examTemplate.Write(&file)
	}
	if err != nil {
		return nil, err
	}
	return &fileOut{ContentType: kindXLSX, Disposition: attachment("eksāmenu rezultātu paraugs.xlsx"), Body: file.Bytes()}, nil
}

func (a *API) recordExamResults(ctx context.Context, by access.Actor, in *recordExamResultsIn) (*recordExamResultsOut, error) {
	place, err := a.school(ctx, in.School)
	if err == nil { // before any work on the file
		err = by.Allow(access.At(access.RecordExamResults, place))
	}
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(in.RawBody.Data().File, maxExamFile+1))
	switch {
	case err != nil:
		return nil, err
	case len(data) > maxExamFile:
		return nil, errTooLarge
	}
	records, err := sheet.Read(data, examTemplate.Form)
	if err != nil {
		return nil, err
	}
	cmd := commands.RecordExamResults{School: place.School, DryRun: in.DryRun, AcceptValid: in.AcceptValid}
	for _, r := range records {
		cmd.Rows = append(cmd.Rows, commands.ExamRow{Row: r.Row, PersonalCode: r.Cells[0], Exam: r.Cells[1], Date: r.Cells[2], Percent: r.Cells[3], Wrong: r.Wrong})
	}
	done, err := a.Commands.RecordExamResults(ctx, by, cmd)
	if err != nil {
		return nil, err
	}
	out := &recordExamResultsOut{Status: http.StatusCreated, Body: examResults{
		DryRun: in.DryRun, Rows: done.Rows, Recorded: done.Recorded, Known: done.Known, Refused: done.Refused,
		Problems: make([]userProblem, 0, len(done.Problems)),
	}}
	for _, p := range done.Problems {
		out.Body.Problems = append(out.Body.Problems, asked(ctx).userProblem(p))
	}
	if in.DryRun {
		out.Status = http.StatusOK
	}
	return out, nil
}
