package attendance

// A Cell is one pupil in one lesson, as a report sees it.
type Cell struct {
	Kind    CellKind
	Status  string // of a marked cell
	Points  Points // that the status brings
	Maximum Points // that the best one would, in the status set of the mark, or else of now
}

// A CellKind says what a cell counts for.
type CellKind uint8

const (
	Unmarked    CellKind = iota // no status: not taken for this pupil
	Taken                       // a status
	NotEnrolled                 // the pupil was not in the class on that day: counts for nothing (S-25)
	Hidden                      // outside the period of the register: counts for nothing, but is told
)

// A Summary is what the cells of one pupil add up to (kopsavilkums).
type Summary struct {
	Statuses map[string]int // number of taken lessons by status

	Taken           int // lessons with a status
	Points          Points
	TakenMaximum    Points
	TakenPercent    *Tenths // points of the taken lessons; nil when nothing is taken
	All             int     // lessons that concern the pupil
	AllMaximum      Points
	AllPercent      *Tenths // as if what is not taken brought nothing
	Possible        Points  // as if what is not taken brought everything
	PossiblePercent *Tenths
	Hidden          int // lessons outside the period of the register
	Grade           *Grade
}

// Tenths is a percentage in tenths: 833 is 83.3 %.
type Tenths int

// Number returns a percentage as it is shown, such as 83.3; of nothing none.
func (t *Tenths) Number() *float64 {
	if t == nil {
		return nil
	}
	n := float64(*t) / 10
	return &n
}

// A Grade is counted in hundredths: 3750 is 37.50.
type Grade int

// Summarise adds up the cells of one pupil. The grade is of highest, the
// grade for all points.
func Summarise(cells []Cell, highest int) Summary {
	s := Summary{Statuses: make(map[string]int)}
	for _, c := range cells {
		switch c.Kind {
		case NotEnrolled:
			continue
		case Hidden:
			s.Hidden++
			continue
		case Taken:
			s.Statuses[c.Status]++
			s.Taken++
			s.Points += c.Points
			s.TakenMaximum += c.Maximum
			s.Possible += c.Points
		case Unmarked:
			s.Possible += c.Maximum
		}
		s.All++
		s.AllMaximum += c.Maximum
	}
	s.TakenPercent = Percent(s.Points, s.TakenMaximum)
	s.AllPercent = Percent(s.Points, s.AllMaximum)
	s.PossiblePercent = Percent(s.Possible, s.AllMaximum)
	if s.TakenPercent != nil {
		grade := Grade(max(0, halfUp(int(s.Points)*highest*100, int(s.TakenMaximum))))
		s.Grade = &grade
	}
	return s
}

// Percent returns what part of whole is, with one decimal, half up. Of nothing
// there is no percentage, which is not 0 %.
func Percent(part, whole Points) *Tenths {
	if whole <= 0 {
		return nil
	}
	t := Tenths(halfUp(int(part)*1000, int(whole)))
	return &t
}

// halfUp returns a/b as the nearest whole number, of two the greater: -0.5 is 0.
func halfUp(a, b int) int {
	a, b = 2*a+b, 2*b
	if a%b < 0 {
		return a/b - 1
	}
	return a / b
}
