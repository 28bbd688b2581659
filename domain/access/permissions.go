package access

import (
	"maps"
	"slices"
)

// A Role is what a person is to a class, a school or a municipality. Roles of
// the tool for schools are prefixed “emu”, because other systems have roles
// with similar titles and other rights (C-52).
type Role string

const (
	ClassTeacher        Role = "emu.class_teacher"        // klases audzinātājs; scope: a class, which is of one school year
	SchoolManagement    Role = "emu.school_management"    // skolas vadība
	SupportStaff        Role = "emu.support_staff"        // atbalsta personāls
	SchoolAdmin         Role = "emu.school_admin"         // skolas administrators
	MunicipalityAnalyst Role = "emu.municipality_analyst" // pašvaldības darbinieks
	MunicipalityAdmin   Role = "emu.municipality_admin"   // pašvaldības administrators
	PlatformAdmin       Role = "platform_admin"           // EMU administrators
	Instructor          Role = "instructor"               // pasniedzējs; scope: an attendance register
	Auditor             Role = "auditor"                  // auditors; scope: installation, municipality or school
	Analyst             Role = "analyst"                  // analītiķis; scope: as auditor
)

// Roles that nobody is given: who asks has them by what they are.
const (
	Self      Role = "self"      // any member of staff signed in, about the own things
	Learner   Role = "learner"   // a pupil signed in to the learner realm
	Token     Role = "token"     // whoever holds a mailed link or a printed code
	Anonymous Role = "anonymous" // whoever is not signed in
	Operator  Role = "operator"  // the command line on the server, and jobs
)

// Assignable are the roles that can be given to an account.
var Assignable = []Role{
	ClassTeacher, SchoolManagement, SupportStaff, SchoolAdmin, MunicipalityAnalyst,
	MunicipalityAdmin, PlatformAdmin, Instructor, Auditor, Analyst,
}

// A Permission is one thing that can be allowed.
type Permission string

const (
	SignIn                  Permission = "session.start"
	Register                Permission = "registration.confirm"
	ForgotPassword          Permission = "password.forgotten"
	FollowLink              Permission = "link.follow"
	OwnAccount              Permission = "account.own"
	ActivateLearner         Permission = "learner.activate"
	OwnLearner              Permission = "learner.own"
	SelfRecord              Permission = "attendance.self_record"
	OwnLessons              Permission = "attendance.own_lessons"
	CreateAdmin             Permission = "platform.create_admin"
	ManageMunicipality      Permission = "organisation.manage_municipalities"
	ManageSchools           Permission = "organisation.manage_schools"
	SeeMunicipality         Permission = "organisation.see_municipality"
	SeeSchool               Permission = "organisation.see_school"
	ManageClasses           Permission = "organisation.manage_classes"
	SeeUsers                Permission = "users.see"
	ManageUsers             Permission = "users.manage"
	CorrectCode             Permission = "users.correct_personal_code"
	GiveSchoolRole          Permission = "roles.give_in_school"
	GiveAdminRole           Permission = "roles.give_administrator"
	GivePlatformRole        Permission = "roles.give_installation"
	LoadRoster              Permission = "roster.load"
	SeeRosterRuns           Permission = "roster.see_runs"
	SeeStudents             Permission = "students.see"
	IssueLearnerCode        Permission = "students.issue_learner_code"
	OpenRegister            Permission = "attendance.open_register"
	ManageRegister          Permission = "attendance.manage_register"
	SeeRegisters            Permission = "attendance.see_registers"
	SeeAttendance           Permission = "attendance.see"
	TakeAttendance          Permission = "attendance.take"
	SeeSchoolOverview       Permission = "overview.see_school"
	SeeTeachers             Permission = "overview.see_teachers"
	SeeMunicipalityOverview Permission = "overview.see_municipality"
	SeeGrades               Permission = "grades.see"
	SeeExamResults          Permission = "exams.see"
	RecordExamResults       Permission = "exams.record"
	SeeSurveys              Permission = "surveys.see"
	StartSurvey             Permission = "surveys.start"
	AnswerSurvey            Permission = "surveys.answer"
	SeeSurveyAnswers        Permission = "surveys.see_answers"
	SeeSurveyResults        Permission = "surveys.see_results"
	SeeSurveySummary        Permission = "surveys.see_summary"
	SeeLessonSecret         Permission = "attendance.see_secret"
	ReadHistory             Permission = "audit.read_history"
	ReadSecurityLog         Permission = "audit.read_security_log"
	ReadAnalytics           Permission = "analytics.read"
	OperateViews            Permission = "ops.projections"
	ApplyLedger             Permission = "ops.apply_erasures"
)

// may is the whole of it. What is not in this table is not allowed.
//
// The school administrator sees no results: “paredzēta lietotāju izveidei …
// nevis datu analīzei” (EMU-072). The administrator role is given by the
// municipality or the platform (C-12), auditor and analyst by the platform
// (S-49).
//
// Grades and answers to surveys of single pupils are for the class teacher and
// the support staff, results without names for the management, a summary for
// the municipality (EMU-064 to EMU-073, C-16).
var may = map[Permission][]Role{
	SignIn:                  {Anonymous},
	Register:                {Token},
	ForgotPassword:          {Anonymous},
	FollowLink:              {Token},
	OwnAccount:              {Self},
	ActivateLearner:         {Token},
	OwnLearner:              {Learner},
	SelfRecord:              {Learner},
	OwnLessons:              {Learner},
	CreateAdmin:             {Operator},
	ManageMunicipality:      {PlatformAdmin, Operator},
	ManageSchools:           {PlatformAdmin, MunicipalityAdmin, Operator},
	SeeMunicipality:         {MunicipalityAdmin, MunicipalityAnalyst, PlatformAdmin, Operator},
	SeeSchool:               {SchoolAdmin, ClassTeacher, SchoolManagement, SupportStaff, MunicipalityAdmin, MunicipalityAnalyst, PlatformAdmin, Operator},
	ManageClasses:           {SchoolAdmin, MunicipalityAdmin, PlatformAdmin, Operator},
	SeeUsers:                {SchoolAdmin, MunicipalityAdmin, PlatformAdmin},
	ManageUsers:             {SchoolAdmin, MunicipalityAdmin, PlatformAdmin, Operator},
	CorrectCode:             {PlatformAdmin, Operator},
	GiveSchoolRole:          {SchoolAdmin, MunicipalityAdmin, PlatformAdmin, Operator},
	GiveAdminRole:           {MunicipalityAdmin, PlatformAdmin, Operator},
	GivePlatformRole:        {PlatformAdmin, Operator},
	LoadRoster:              {SchoolAdmin, PlatformAdmin, Operator},
	SeeRosterRuns:           {SchoolAdmin, PlatformAdmin, Operator},
	SeeStudents:             {SchoolAdmin, ClassTeacher, SupportStaff, PlatformAdmin},
	IssueLearnerCode:        {SchoolAdmin, ClassTeacher},
	OpenRegister:            {ClassTeacher},
	ManageRegister:          {Instructor},
	SeeRegisters:            {ClassTeacher, Instructor, SupportStaff},
	SeeAttendance:           {Instructor, ClassTeacher, SupportStaff},
	TakeAttendance:          {Instructor},
	SeeSchoolOverview:       {SchoolManagement},
	SeeTeachers:             {SchoolManagement},
	SeeMunicipalityOverview: {MunicipalityAnalyst},
	SeeGrades:               {ClassTeacher, SupportStaff},
	SeeExamResults:          {SupportStaff},
	RecordExamResults:       {PlatformAdmin},
	SeeSurveys:              {ClassTeacher, SchoolManagement, SupportStaff, SchoolAdmin},
	StartSurvey:             {ClassTeacher, SchoolAdmin},
	AnswerSurvey:            {Token},
	SeeSurveyAnswers:        {ClassTeacher, SupportStaff},
	SeeSurveyResults:        {SchoolManagement},
	SeeSurveySummary:        {MunicipalityAnalyst},
	SeeLessonSecret:         {Instructor},
	ReadHistory:             {Auditor, Operator},
	ReadSecurityLog:         {Auditor, PlatformAdmin},
	ReadAnalytics:           {Analyst, MunicipalityAnalyst, SchoolManagement},
	OperateViews:            {PlatformAdmin, Operator},
	ApplyLedger:             {Operator},
}

// Holders returns the roles that have p, for documentation and tests.
func Holders(p Permission) []Role { return slices.Clone(may[p]) }

// All returns all permissions there are, in the order of their names.
func All() []Permission { return slices.Sorted(maps.Keys(may)) }

// Known says whether p is in the table.
func Known(p Permission) bool { _, ok := may[p]; return ok }
