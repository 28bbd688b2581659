package texts

// exams are refusals of exam results, and what is wrong with rows of a file of them.
var exams = map[string]Text{
	"exams.percent":       {"Procentiem jābūt no 0 līdz 100, ar ne vairāk kā vienu zīmi aiz komata", "a percentage is from 0 to 100, with at most one decimal"},
	"exams.future":        {"Eksāmens vēl nav noticis", "the exam has not been yet"},
	"exams.no_student":    {"Skolā nav skolēna ar šādu personas kodu", "the school has no student with this personal code"},
	"exams.many_students": {"Šāds personas kods skolā ir vairākiem skolēniem", "several students of the school have this personal code"},
	"exams.twice":         {"Šis rezultāts datnē jau ir %s. rindā", "the file has this result in row %s already"},
	"exams.rows":          {"Datnes rindās ir kļūdas, tāpēc nekas nav izdarīts", "rows of the file are wrong, so nothing was done"},
	"exams.nothing":       {"Nevienā datnes rindā nav derīga rezultāta", "no row of the file has a valid result"},
}
