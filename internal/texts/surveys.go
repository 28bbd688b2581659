package texts

// surveys are the refusals about surveys, and the page that pupils fill in.
var surveys = map[string]Text{
	"surveys.no_survey":   {"Šādas anketas nav", "there is no such survey"},
	"surveys.questions":   {"Anketā ir no 1 līdz 50 jautājumiem", "a survey has 1 to 50 questions"},
	"surveys.kind":        {"Jautājums ir viena vai vairāku atbilžu izvēle, skala vai teksts", "a question is a choice of one or of several, a scale, or text"},
	"surveys.options":     {"Izvēlei ir no 2 līdz 20 dažādām atbildēm, citiem jautājumiem to nav", "a choice has 2 to 20 options, no two the same, and no other question has any"},
	"surveys.steps":       {"Skalai ir no 2 līdz 10 pakāpēm, citiem jautājumiem to nav", "a scale has 2 to 10 steps, and no other question has any"},
	"surveys.last_day":    {"Pēdējā diena ir šodien vai ne vairāk kā 100 dienas vēlāk", "the last day is today or at most 100 days later"},
	"surveys.nobody":      {"Nav neviena skolēna, kam jautāt", "there is no pupil to be asked"},
	"surveys.over":        {"Anketa ir slēgta", "the survey is over"},
	"surveys.answered":    {"Ar šo saiti anketa jau ir aizpildīta", "the survey has been answered by this link already"},
	"surveys.no_question": {"Anketā šāda jautājuma nav, vai atbilde uz to ir divreiz", "the survey has no such question, or it is answered twice"},
	"surveys.required":    {"Uz šo jautājumu jāatbild", "this question needs an answer"},
	"surveys.answer":      {"Tā nav atbilde uz šo jautājumu", "this does not answer the question"},
	"surveys.link":        {"Šī anketas saite nav derīga", "this link to a survey is not valid"},
	"surveys.no_year":     {"Skolai šodien nav mācību gada", "the school has no school year today"},
	"surveys.still_open":  {"Rezultāti būs redzami, kad anketa būs slēgta", "results are shown when the survey is over"},
	"surveys.too_many":    {"Anketu ir par daudz: norādiet īsāku periodu", "too many surveys: name a shorter period"},
	"surveys.print_class": {"Skolēnu ir par daudz vienai lapai: norādiet klasi", "too many pupils for one page: name a class"},

	"page.survey_title":    {"Anketa", "Survey"},
	"page.survey_until":    {"Aizpildīt var līdz:", "Open until:"},
	"page.survey_once":     {"Nosūtīt var vienreiz. Atbildes redzēs tavs klases audzinātājs un skolas atbalsta personāls; skolas vadība redz tikai kopsavilkumu bez vārdiem.", "It can be sent once. Your class teacher and the school's support staff will see your answers; the management sees a summary without names."},
	"page.survey_required": {"obligāts", "required"},
	"page.survey_several":  {"Var izvēlēties vairākas atbildes.", "You may choose several answers."},
	"page.survey_scale":    {"1 ir vismazāk.", "1 is the least."},
	"page.survey_submit":   {"Nosūtīt", "Send"},
	"page.survey_wrong":    {"Vēl nav nosūtīts: pārbaudi atzīmētās atbildes.", "Not sent yet: check the answers that are marked."},
	"page.survey_done":     {"Paldies! Tavas atbildes ir saņemtas.", "Thank you! Your answers have been received."},
	"page.survey_codes":    {"Anketas saites", "Links to a survey"},
	"page.survey_cut":      {"Izdrukā, sagriez un izdali: katram skolēnam ir sava saite, kas der vienreiz.", "Print, cut and hand out: each pupil has a link of their own, which works once."},
}
