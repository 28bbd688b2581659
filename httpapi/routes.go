package httpapi

// routes declares all routes, context by context.
func (a *API) routes() {
	a.sessionRoutes()
	a.ownRoutes()
	a.emailRoutes()
	a.correctionRoutes()
	a.externalRoutes()
	a.passkeyRoutes()
	a.organisationRoutes()
	a.userRoutes()
	a.installationRoutes()
	a.userImportRoutes()
	a.registerPage()
	a.linkPages()
	a.rosterRoutes()
	a.learnerRoutes()
	a.securityRoutes()
	a.operateRoutes()
	a.reactionRoutes()
	a.attendanceRoutes()
	a.lessonRoutes()
	a.selfRoutes()
	a.overviewRoutes()
	a.analyticsRoutes()
	a.auditRoutes()
	a.proofRoutes()
}
