package httpapi

// cells are the requests for all routes, by the ids of the routes.
func (m *matrix) cells() map[string]cell {
	const (
		person = `{"given_name":"Jauna","family_name":"Persona","personal_code":"{code}","email":"persona{n}@skola.example"}`
		lesson = `{"date":"2025-09-02","from":"08:30","until":"09:10"}`
		status = `{"statuses":[{"acronym":"I","description":"Ir","points":1}]}`
		secret = `{"password":"` + password + `"}`
	)
	any := []string{"If-Match: *"}
	return map[string]cell{
		// organisation
		"register-municipality": {ask: "POST /municipalities", body: `{"name":"Novads {n}"}`, at: everywhere, fresh: counted},
		"list-municipalities":   {ask: "GET /municipalities", at: ofMunicipality, own: true},
		"get-municipality":      {ask: "GET /municipalities/{municipality}", at: ofMunicipality},
		"register-school":       {ask: "POST /municipalities/{municipality}/schools", body: `{"name":"Skola {n}"}`, at: ofMunicipality, fresh: counted},
		"list-schools":          {ask: "GET /municipalities/{municipality}/schools", at: ofMunicipality},
		"get-school":            {ask: "GET /schools/{school}", at: ofClass, narrow: true},
		"open-school-year":      {ask: "POST /schools/{school}/school-years", body: `{"from":"2025-09-01","to":"2026-08-31"}`, at: ofSchool},
		"create-class":          {ask: "POST /schools/{school}/classes", body: `{"school_year_id":"{year}","name":"{class_name}"}`, at: ofSchool, fresh: counted},
		"list-classes":          {ask: "GET /schools/{school}/classes", at: ofClass, narrow: true},

		// users
		"list-users":          {ask: "GET /schools/{school}/users", at: ofSchool},
		"export-users":        {ask: "GET /schools/{school}/user-export", at: ofSchool},
		"invite-user":         {ask: "POST /schools/{school}/users", body: person, at: ofSchool, fresh: counted},
		"get-user":            {ask: "GET /schools/{school}/users/{member}", at: ofSchool},
		"resend-invitation":   {ask: "POST /schools/{school}/users/{invited}/invitation", at: ofSchool, fresh: invitedHere},
		"withdraw-invitation": {ask: "DELETE /schools/{school}/users/{invited}/invitation", at: ofSchool, fresh: invitedHere},
		"remove-user":         {ask: "DELETE /schools/{school}/users/{invited}", at: ofSchool, fresh: invitedHere},
		"give-role":           {ask: "PUT /schools/{school}/users/{member}/roles/emu.support_staff", at: ofSchool},
		"take-role":           {ask: "DELETE /schools/{school}/users/{invited}/roles/emu.support_staff", at: ofSchool, fresh: invitedHere},
		"give-class":          {ask: "PUT /schools/{school}/users/{member}/classes/{class}", at: ofClass},
		"take-class":          {ask: "DELETE /schools/{school}/users/{invited}/classes/{class}", at: ofClass, fresh: invitedHere},

		"invite-installation-user": {ask: "POST /platform/users", body: person, at: everywhere, fresh: counted},
		"give-installation-role":   {ask: "PUT /platform/users/{member}/roles/auditor", at: everywhere},
		"take-installation-role":   {ask: "DELETE /platform/users/{member}/roles/auditor", at: everywhere, fresh: memberAudits},

		"list-municipality-users":        {ask: "GET /municipalities/{municipality}/users", at: ofMunicipality},
		"invite-municipality-user":       {ask: "POST /municipalities/{municipality}/users", body: person, at: ofMunicipality, fresh: counted},
		"get-municipality-user":          {ask: "GET /municipalities/{municipality}/users/{clerk}", at: ofMunicipality, fresh: clerkHere},
		"resend-municipality-invitation": {ask: "POST /municipalities/{municipality}/users/{clerk}/invitation", at: ofMunicipality, fresh: clerkHere},
		"give-municipality-role":         {ask: "PUT /municipalities/{municipality}/users/{clerk}/roles/emu.municipality_analyst", at: ofMunicipality, fresh: clerkHere},
		"take-municipality-role":         {ask: "DELETE /municipalities/{municipality}/users/{clerk}/roles/emu.municipality_analyst", at: ofMunicipality, fresh: clerkHere},

		"export-municipality-users":        {ask: "GET /municipalities/{municipality}/user-export?schools=true", at: ofMunicipality},
		"withdraw-municipality-invitation": {ask: "DELETE /municipalities/{municipality}/users/{clerk}/invitation", at: ofMunicipality, fresh: clerkHere},
		"remove-municipality-user":         {ask: "DELETE /municipalities/{municipality}/users/{clerk}", at: ofMunicipality, fresh: clerkHere},

		"get-user-import-template": {ask: "GET /schools/{school}/user-import-template", at: ofSchool},
		"import-users":             {ask: "POST /schools/{school}/user-imports", form: (*matrix).users, at: ofSchool},
		"list-user-imports":        {ask: "GET /schools/{school}/user-imports", at: ofSchool},
		"get-user-import":          {ask: "GET /schools/{school}/user-imports/{import}", at: ofSchool},
		"get-user-import-report":   {ask: "GET /schools/{school}/user-imports/{import}/report", at: ofSchool},

		"get-municipality-user-import-template": {ask: "GET /municipalities/{municipality}/user-import-template", at: ofMunicipality},
		"import-municipality-users":             {ask: "POST /municipalities/{municipality}/user-imports", form: (*matrix).clerks, at: ofMunicipality},
		"list-municipality-user-imports":        {ask: "GET /municipalities/{municipality}/user-imports", at: ofMunicipality},
		"get-municipality-user-import":          {ask: "GET /municipalities/{municipality}/user-imports/{town_import}", at: ofMunicipality},
		"get-municipality-user-import-report":   {ask: "GET /municipalities/{municipality}/user-imports/{town_import}/report", at: ofMunicipality},

		// roster
		"load-roster":        {ask: "POST /schools/{school}/roster-syncs", form: (*matrix).roster, at: ofSchool},
		"list-roster-syncs":  {ask: "GET /schools/{school}/roster-syncs", at: ofSchool},
		"get-roster-sync":    {ask: "GET /schools/{school}/roster-syncs/{sync}", at: ofSchool},
		"list-students":      {ask: "GET /schools/{school}/students", at: ofClass, narrow: true},
		"get-student":        {ask: "GET /schools/{school}/students/{student}", at: ofClass, hidden: true},
		"issue-learner-code": {ask: "POST /schools/{school}/students/{student}/learner-account", at: ofClass},

		// attendance
		"open-register":        {ask: "POST /schools/{school}/registers", body: `{"class_id":"{class}","name":"Reģistrs"}`, at: ofClass},
		"list-registers":       {ask: "GET /schools/{school}/registers", at: ofRegister, narrow: true},
		"get-register":         {ask: "GET /registers/{register}", at: ofRegister},
		"change-register":      {ask: "PATCH /registers/{register}", body: `{"description":"Cits"}`, headers: any, at: ofRegister},
		"get-status-set":       {ask: "GET /registers/{register}/status-sets/1", at: ofRegister},
		"put-status-set":       {ask: "PUT /registers/{register}/status-sets/2", body: status, at: ofRegister},
		"schedule-session":     {ask: "POST /registers/{register}/sessions", body: lesson, at: ofRegister},
		"list-sessions":        {ask: "GET /registers/{register}/sessions", at: ofRegister},
		"get-sheet":            {ask: "GET /attendance-sessions/{lesson}/sheet", at: ofRegister},
		"put-marks":            {ask: "PUT /attendance-sessions/{lesson}/marks", body: `{"marks":[{"student_id":"{student}","remark":"a"}]}`, headers: any, at: ofRegister},
		"get-session-password": {ask: "GET /attendance-sessions/{lesson}/password", at: ofRegister},
		"get-session-qr":       {ask: "GET /attendance-sessions/{lesson}/qr", at: ofRegister},
		"get-report":           {ask: "GET /registers/{register}/report", at: ofRegister},
		"export-register":      {ask: "GET /registers/{register}/export", at: ofRegister},

		// overviews
		"get-class-overview":        {ask: "GET /schools/{school}/classes/{class}/overview", at: ofClass},
		"get-student-attendance":    {ask: "GET /schools/{school}/students/{student}/attendance", at: ofClass, hidden: true},
		"get-school-overview":       {ask: "GET /schools/{school}/overview", at: ofSchool},
		"get-teacher-analysis":      {ask: "GET /schools/{school}/teacher-analysis", at: ofSchool},
		"get-municipality-overview": {ask: "GET /municipalities/{municipality}/overview", at: ofMunicipality},

		// performance
		"list-performance":             {ask: "GET /schools/{school}/performance", at: ofClass, narrow: true},
		"get-student-performance":      {ask: "GET /schools/{school}/students/{student}/performance", at: ofClass, hidden: true},
		"list-student-exam-results":    {ask: "GET /schools/{school}/students/{student}/exam-results", at: ofClass, hidden: true},
		"get-school-performance":       {ask: "GET /schools/{school}/performance-summary", at: ofSchool},
		"get-municipality-performance": {ask: "GET /municipalities/{municipality}/performance-summary", at: ofMunicipality},
		"get-exam-result-template":     {ask: "GET /schools/{school}/exam-result-template", at: ofSchool},
		"record-exam-results":          {ask: "POST /schools/{school}/exam-results", form: (*matrix).examResults, at: ofSchool},

		// surveys
		"start-survey":       {ask: "POST /schools/{school}/surveys", body: survey6, at: ofClass},
		"list-surveys":       {ask: "GET /schools/{school}/surveys", at: ofClass, narrow: true},
		"get-survey":         {ask: "GET /surveys/{survey}", at: ofClass},
		"close-survey":       {ask: "POST /surveys/{ended}/closure", at: ofClass},
		"issue-survey-codes": {ask: "POST /surveys/{survey}/codes", at: ofClass},
		"list-survey-codes":  {ask: "GET /surveys/{survey}/codes", at: ofClass},
		"print-survey-codes": {ask: "GET /surveys/{survey}/codes/print", at: ofClass},
		"get-survey-answers": {ask: "GET /surveys/{survey}/answers", at: ofClass},
		"get-survey-results": {ask: "GET /surveys/{ended}/results", at: ofClass},
		"get-survey-summary": {ask: "GET /municipalities/{municipality}/survey-summary", at: ofMunicipality},
		"get-survey-form":    {ask: "GET /survey-links/{survey_link}", fresh: surveyed},
		"answer-survey":      {ask: "POST /survey-links/{survey_link}", body: `{"answers":[{"question":1,"numbers":[4]},{"question":2,"numbers":[1,2]}]}`, fresh: surveyed},

		// audit and analytics
		"audit-account":       {ask: "GET /audit/accounts/{member}/events", at: ofSchool, blunt: true},
		"audit-account-diff":  {ask: "GET /audit/accounts/{member}/diff?from=1", at: ofSchool, blunt: true},
		"audit-roles":         {ask: "GET /audit/accounts/{member}/roles", at: ofSchool, blunt: true},
		"audit-attendance":    {ask: "GET /audit/students/{student}/attendance", at: ofSchool},
		"audit-log":           {ask: "GET /audit/events", at: everywhere},
		"get-checkpoint":      {ask: "GET /audit/checkpoint", at: ofSchool, own: true},
		"prove-inclusion":     {ask: "GET /audit/proofs/inclusion?position=1", at: everywhere},
		"prove-consistency":   {ask: "GET /audit/proofs/consistency?from=1", at: ofSchool, own: true},
		"read-security-log":   {ask: "GET /security-log", at: ofSchool, own: true},
		"get-attendance-week": {ask: "GET /analytics/attendance_week", at: ofSchool, own: true},

		// operators
		"list-projections":    {ask: "GET /ops/projections"},
		"list-parked-streams": {ask: "GET /ops/projections/students/parked"},
		"replay-stream":       {ask: "POST /ops/projections/students/replay", body: `{"stream":"school-{school}"}`, answer: "projection.not_parked"},
		"rebuild-projection":  {ask: "POST /ops/projections/organisation/rebuild"},
		"swap-projection":     {ask: "POST /ops/projections/students/swap", fresh: builtAside},
		"rollback-projection": {ask: "POST /ops/projections/students/rollback", fresh: rebuilt},
		"pause-projection":    {ask: "POST /ops/projections/audit/pause"},
		"resume-projection":   {ask: "POST /ops/projections/audit/resume"},
		"list-reactions":      {ask: "GET /ops/reactions"},
		"list-parked-events":  {ask: "GET /ops/reactions/letters/parked"},
		"list-settled-events": {ask: "GET /ops/reactions/letters/settled"},
		"replay-event":        {ask: "POST /ops/reactions/letters/replay", body: `{"position":1}`, fresh: parkedEvent},
		"skip-event":          {ask: "POST /ops/reactions/letters/skip", body: `{"position":2,"reason":"nevajag"}`, fresh: parkedEvent},

		// the own account
		"get-me":                    {ask: "GET /me"},
		"list-own-roles":            {ask: "GET /me/roles"},
		"get-guide":                 {ask: "GET /me/guide"},
		"list-sign-ins":             {ask: "GET /me/sessions"},
		"list-external-logins":      {ask: "GET /me/external-logins"},
		"get-external-login":        {ask: "GET /me/external-logins/eklase"},
		"connect-external-login":    {ask: "POST /me/external-logins/eklase", answer: "identity.first_sign_in_by_email"},
		"disconnect-external-login": {ask: "DELETE /me/external-logins/eklase"},
		"end-session":               {ask: "DELETE /me/sessions/current", ends: true},
		"end-sessions":              {ask: "DELETE /me/sessions", once: true, fresh: leaver},

		// pupils
		"list-own-sessions":  {ask: "GET /me/attendance-sessions"},
		"get-own-attendance": {ask: "GET /me/attendance"},
		"self-record":        {ask: "POST /me/self-recordings", body: `{"session":"{lesson}","password":"{secret}"}`},
		"sign-out-learner":   {ask: "DELETE /learner/sessions/current", ends: true},

		// whoever is not signed in
		"sign-in":              {ask: "POST /sessions", body: `{"email":"teacher@skola.example","password":"` + password + `"}`},
		"sign-in-externally":   {ask: "POST /sessions/external/eklase", answer: "identity.external_not_configured"},
		"sign-in-with-code":    {ask: "POST /sessions/challenges/{challenge}", body: `{"code":"{login_code}"}`, fresh: challenged},
		"check-registration":   {ask: "GET /registrations/{link}", fresh: linked},
		"confirm-registration": {ask: "POST /registrations/{link}", body: secret, fresh: linked},
		"activate-learner":     {ask: "POST /learner/activations/{activation}", body: `{"username":"skolens.otrais","password":"` + password + `"}`, fresh: issued},
		"sign-in-learner":      {ask: "POST /learner/sessions", body: `{"username":"skolens.pirmais","password":"` + password + `"}`},
	}
}
