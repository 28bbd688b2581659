package httpapi

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"zurnals/commands"
	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/internal/oneroster"
	"zurnals/internal/texts"
	"zurnals/projections/students"
)

// rosterRoutes are for pupils and classes, and for the files they come from.
func (a *API) rosterRoutes() {
	const tag = "roster"
	handle(a, route{
		id: "load-roster", method: "POST", path: "/schools/{school}/roster-syncs", tag: tag, permission: access.LoadRoster, status: http.StatusCreated,
		summary: "Bring the records of a school to what a OneRoster 1.1 archive says",
		about: "A zip of CSV files, all of them bulk. Rows with errors are reported and leave their pupils as they are; " +
			"pupils who are not in the file are reported and stay. Grades are taken from lineItems.csv and results.csv, absences from a file of our own, " +
			"absences.csv (studentSourcedId, date, lesson, subject, kind: excused or attaisnots, unexcused or neattaisnots, else unknown); who loads the archive is told only how many changed. " +
			"With dry_run nothing is changed and the same is answered, with status 200.",
		maxBody: oneroster.MaxArchive + 64<<10, limit: limitUpload,
	}, a.loadRoster)
	handle(a, route{
		id: "list-roster-syncs", method: "GET", path: "/schools/{school}/roster-syncs", tag: tag, permission: access.SeeRosterRuns,
		summary: "The synchronisation runs of a school, the newest first",
	}, a.listRosterSyncs)
	handle(a, route{
		id: "get-roster-sync", method: "GET", path: "/schools/{school}/roster-syncs/{sync}", tag: tag, permission: access.SeeRosterRuns,
		summary: "One synchronisation run, with what was wrong with its file",
	}, a.getRosterSync)
	handle(a, route{
		id: "list-students", method: "GET", path: "/schools/{school}/students", tag: tag, permission: access.SeeStudents,
		summary: "Pupils of a school, in the order of the Latvian alphabet", about: "A class teacher sees those of the own class.",
	}, a.listStudents)
	handle(a, route{
		id: "get-student", method: "GET", path: "/schools/{school}/students/{student}", tag: tag, permission: access.SeeStudents,
		summary: "One pupil",
	}, a.getStudent)
	handle(a, route{
		id: "list-classes", method: "GET", path: "/schools/{school}/classes", tag: tag, permission: access.SeeSchool,
		summary: "Classes of a school: the newest school year first, 2.a before 10.a", about: "A class teacher sees the own class.",
	}, a.listClasses)
}

// A rosterSync is a synchronisation run, or what a dry run says of it.
type rosterSync struct {
	ID        *domain.RosterSyncID `json:"id,omitempty" doc:"absent for a dry run"`
	DryRun    bool                 `json:"dry_run,omitempty"`
	State     string               `json:"state,omitempty" enum:"running,completed,failed"`
	Cause     string               `json:"cause,omitempty" doc:"code of what stopped it"`
	File      string               `json:"file_sha256,omitempty"`
	StartedAt *time.Time           `json:"started_at,omitempty"`
	EndedAt   *time.Time           `json:"ended_at,omitempty"`

	Added        int `json:"added" doc:"pupils who were not known; each pupil is counted once"`
	ClassChanged int `json:"class_changed"`
	Updated      int `json:"updated" doc:"described anew"`
	Unchanged    int `json:"unchanged"`
	Damaged      int `json:"damaged" doc:"left as they were, because of an error in their rows"`
	Grades       int `json:"grades" doc:"of the e-journal, that are new, otherwise or gone"`
	Absences     int `json:"absences" doc:"the same"`
	NotInFile    int `json:"not_in_file" doc:"in the records, but not in the file; nothing is done about them"`
	Active       int `json:"active" doc:"in the records afterwards"`
	Classes      int `json:"classes" doc:"in the file"`
	Courses      int `json:"courses" doc:"in the file"`
	OtherSchools int `json:"other_schools" doc:"rows of other schools, ignored"`
	OtherRoles   int `json:"other_roles" doc:"rows of teachers and others, ignored"`
	Errors       int `json:"errors"`
	Warnings     int `json:"warnings"`

	Problems []rosterProblem    `json:"problems,omitempty" doc:"the first 500, errors before warnings"`
	Missing  []domain.StudentID `json:"missing_ids,omitempty" doc:"pupils not in the file, the first 5000"`
}

// A rosterProblem is what is wrong with one row.
type rosterProblem struct {
	File    string `json:"file"`
	Row     int    `json:"row" doc:"line of the file; the heading is line 1"`
	Field   string `json:"field,omitempty"`
	Code    string `json:"code"`
	Detail  string `json:"detail" doc:"in the language asked for"`
	Warning bool   `json:"warning" doc:"the row was taken all the same"`
}

func (q *request) rosterProblem(file string, row int, field, code string, warning bool) rosterProblem {
	return rosterProblem{file, row, field, code, texts.Of(q.language, code), warning}
}

type loadRosterIn struct {
	School  string `path:"school" maxLength:"36"`
	DryRun  bool   `query:"dry_run" doc:"only tell what would happen"`
	RawBody huma.MultipartFormFiles[struct {
		File huma.FormFile `form:"file" required:"true" contentType:"application/zip,application/x-zip-compressed,application/octet-stream" doc:"at most 16 MiB"`
	}]
}

type rosterSyncOut struct {
	Status   int
	Location string `header:"Location"`
	Body     rosterSync
}

func (a *API) loadRoster(ctx context.Context, by access.Actor, in *loadRosterIn) (*rosterSyncOut, error) {
	school, err := domain.ParseID[domain.SchoolID](in.School)
	if err != nil {
		return nil, err
	}
	file, err := io.ReadAll(io.LimitReader(in.RawBody.Data().File, oneroster.MaxArchive+1)) // one more is refused
	if err != nil {
		return nil, err
	}
	load, err := a.Commands.LoadRoster(ctx, by, commands.LoadRoster{School: school, File: file, DryRun: in.DryRun})
	if err != nil {
		return nil, err
	}
	out := &rosterSyncOut{Status: http.StatusCreated, Body: rosterSync{
		ID: some(load.Run), DryRun: in.DryRun,
		Added: load.Added, ClassChanged: load.ClassChanged, Updated: load.Updated, Unchanged: load.Unchanged,
		Damaged: load.Damaged, NotInFile: load.NotInFile, Active: load.Active, Grades: load.Grades, Absences: load.Absences, Classes: load.Classes, Courses: load.Courses,
		OtherSchools: load.OtherSchools, OtherRoles: load.OtherRoles, Errors: load.Errors, Warnings: load.Warnings, Missing: load.Missing,
	}}
	for _, p := range load.Problems {
		out.Body.Problems = append(out.Body.Problems, asked(ctx).rosterProblem(p.File, p.Row, p.Field, p.Code, p.Warning))
	}
	if in.DryRun {
		out.Status = http.StatusOK
		return out, nil
	}
	out.Body.State = "completed"
	out.Location = prefix + "/schools/" + school.String() + "/roster-syncs/" + load.Run.String()
	return out, nil
}

// rosterSync returns a run as it is answered.
func (q *request) rosterSync(r students.Run) rosterSync {
	s := rosterSync{
		ID: &r.ID, State: string(r.State), Cause: r.Cause, File: r.File, StartedAt: &r.StartedAt, EndedAt: r.EndedAt,
		Added: r.Added, ClassChanged: r.ClassChanged, Updated: r.Updated, Unchanged: r.Unchanged,
		Damaged: r.Damaged, NotInFile: r.NotInFile, Active: r.Active, Grades: r.Grades, Absences: r.Absences, Classes: r.Classes, Courses: r.Courses,
		OtherSchools: r.OtherSchools, OtherRoles: r.OtherRoles, Errors: r.Errors, Warnings: r.Warnings, Missing: r.Missing,
	}
	for _, p := range r.Problems {
		s.Problems = append(s.Problems, q.rosterProblem(p.File, p.Row, p.Field, p.Code, p.Warning))
	}
	return s
}

type schoolListIn struct {
	School string `path:"school" maxLength:"36"`
	Page
}

func (a *API) listRosterSyncs(ctx context.Context, by access.Actor, in *schoolListIn) (*list[rosterSync], error) {
	place, err := a.school(ctx, in.School)
	if err != nil {
		return nil, err
	}
	runs, next, err := students.Runs(ctx, a.Views, by, place, in.asked())
	if err != nil {
		return nil, err
	}
	var items []rosterSync
	for _, r := range runs {
		items = append(items, asked(ctx).rosterSync(r))
	}
	return listOf(items, next), nil
}

type rosterSyncIn struct {
	School string `path:"school" maxLength:"36"`
	Sync   string `path:"sync" maxLength:"36"`
}

func (a *API) getRosterSync(ctx context.Context, by access.Actor, in *rosterSyncIn) (*rosterSyncOut, error) {
	place, err := a.school(ctx, in.School)
	if err != nil {
		return nil, err
	}
	id, err := domain.ParseID[domain.RosterSyncID](in.Sync)
	if err != nil {
		return nil, err
	}
	run, err := students.OneRun(ctx, a.Views, by, place, id)
	if err != nil {
		return nil, err
	}
	return &rosterSyncOut{Status: http.StatusOK, Body: asked(ctx).rosterSync(run)}, nil
}

type listStudentsIn struct {
	School string `path:"school" maxLength:"36"`
	Class  string `query:"class" maxLength:"36" doc:"only pupils of this class"`
	Day    string `query:"day" format:"date" doc:"who is in which class on this day; today if absent"`
	Page
}

func (a *API) listStudents(ctx context.Context, by access.Actor, in *listStudentsIn) (*list[students.Student], error) {
	place, err := a.school(ctx, in.School)
	if err != nil {
		return nil, err
	}
	if in.Class != "" {
		if place, err = a.classOf(ctx, place, in.Class); err != nil {
			return nil, err
		}
	}
	day, err := a.day(in.Day)
	if err != nil {
		return nil, err
	}
	items, next, err := students.InSchool(ctx, a.Views, by, within(by, place), day, in.asked())
	if err != nil {
		return nil, err
	}
	return listOf(items, next), nil
}

type studentIn struct {
	School  string `path:"school" maxLength:"36"`
	Student string `path:"student" maxLength:"36"`
}

type studentOut struct{ Body students.Student }

// student returns a pupil in a path, and the place that the school in it is.
func (a *API) student(ctx context.Context, school, student string) (place access.Scope, id domain.StudentID, err error) {
	if place, err = a.school(ctx, school); err == nil {
		id, err = domain.ParseID[domain.StudentID](student)
	}
	return place, id, err
}

func (a *API) getStudent(ctx context.Context, by access.Actor, in *studentIn) (*studentOut, error) {
	place, id, err := a.student(ctx, in.School, in.Student)
	if err != nil {
		return nil, err
	}
	student, err := students.One(ctx, a.Views, by, within(by, place), id, a.Commands.Today())
	return &studentOut{student}, err
}

type listClassesIn struct {
	School string `path:"school" maxLength:"36"`
	Year   string `query:"school_year" maxLength:"36" doc:"only classes of this school year"`
	Day    string `query:"day" format:"date" doc:"pupils are counted on this day; today if absent"`
	Page
}

func (a *API) listClasses(ctx context.Context, by access.Actor, in *listClassesIn) (*list[students.Class], error) {
	place, err := a.school(ctx, in.School)
	if err != nil {
		return nil, err
	}
	var year domain.SchoolYearID
	if in.Year != "" {
		if year, err = domain.ParseID[domain.SchoolYearID](in.Year); err != nil {
			return nil, err
		}
	}
	day, err := a.day(in.Day)
	if err != nil {
		return nil, err
	}
	items, next, err := students.Classes(ctx, a.Views, by, within(by, place), year, day, in.asked())
	if err != nil {
		return nil, err
	}
	return listOf(items, next), nil
}

// school returns the place that a school in a path is.
func (a *API) school(ctx context.Context, id string) (access.Scope, error) {
	school, err := domain.ParseID[domain.SchoolID](id)
	if err != nil {
		return access.Scope{}, err
	}
	return a.Commands.SchoolScope(ctx, school)
}

// classOf returns the place that a class of a school is.
func (a *API) classOf(ctx context.Context, school access.Scope, id string) (access.Scope, error) {
	class, err := domain.ParseID[domain.ClassID](id)
	if err != nil {
		return access.Scope{}, err
	}
	place, err := a.Commands.ClassScope(ctx, class)
	if err == nil && place.School != school.School {
		err = access.ErrElsewhere
	}
	return place, err
}

// within narrows a school to the class that who asks has a role in, for lists
// that show of a school what one sees of it.
func within(by access.Actor, place access.Scope) access.Scope {
	if place.Class.IsZero() && by.Active.Scope.School == place.School {
		place.Class = by.Active.Scope.Class
	}
	return place
}

// day returns a day that a query names, or today where schools are.
func (a *API) day(s string) (domain.Date, error) {
	if s == "" {
		return a.Commands.Today(), nil
	}
	day, err := domain.ParseDate(s)
	if err != nil {
		err = domain.ErrDate.In("query.day")
	}
	return day, err
}
