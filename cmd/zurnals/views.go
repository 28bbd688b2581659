package main

import (
	"zurnals/projections"
	"zurnals/projections/analytics"
	"zurnals/projections/attendance"
	"zurnals/projections/audit"
	"zurnals/projections/organisation"
	"zurnals/projections/performance"
	"zurnals/projections/staff"
	"zurnals/projections/students"
	"zurnals/projections/surveys"
)

// readModels are all read models that the program keeps.
var readModels = []projections.Any{
	staff.Projection,
	organisation.Projection,
	students.Projection,
	attendance.Projection,
	performance.Projection,
	surveys.Projection,
	audit.Projection,
	analytics.AttendanceWeek,
}
