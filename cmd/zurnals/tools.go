package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/google/uuid"

	"zurnals/commands"
	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/internal/replay"
)

// tool runs f with the program's parts. Flags of its own are added by more.
func tool(ctx context.Context, name string, args []string, more func(*flag.FlagSet), f func(*app, []string) error) error {
	var cfg Config
	flags := cfg.flags(name)
	if more != nil {
		more(flags)
	}
	words, err := parse(&cfg, flags, args)
	if err != nil {
		return err
	}
	a, err := open(ctx, cfg, slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
	if err != nil {
		return err
	}
	defer a.close()
	return f(a, words)
}

// operator is who asks on the command line.
func operator() access.Actor { return access.System("command line") }

func migrate(ctx context.Context, args []string, out io.Writer) error {
	return tool(ctx, "migrate", args, nil, func(a *app, _ []string) error {
		if err := a.engine.Prepare(ctx); err != nil {
			return err
		}
		fmt.Fprintln(out, "The database and the read models are up to date.")
		return nil
	})
}

func createPlatformAdmin(ctx context.Context, args []string, out io.Writer) error {
	var cmd commands.InviteUser
	return tool(ctx, "admin create-platform-admin", args, func(f *flag.FlagSet) {
		f.StringVar(&cmd.Email, "email", "", "e-mail address")
		f.StringVar(&cmd.GivenName, "given", "", "given name")
		f.StringVar(&cmd.FamilyName, "family", "", "family name")
		f.StringVar(&cmd.PersonalCode, "code", "", "personal code")
	}, func(a *app, _ []string) error {
		account, token, err := a.commands.CreatePlatformAdmin(ctx, operator(), cmd)
		if err != nil {
			return err
		}
		if token == "" {
			fmt.Fprintf(out, "%s is a platform administrator and has registered already.\n", account)
			return nil
		}
		fmt.Fprintf(out, "%s/registrations/%s\n", a.cfg.PublicURL, token)
		return nil
	})
}

func addMunicipality(ctx context.Context, args []string, out io.Writer) error {
	var cmd commands.RegisterMunicipality
	return tool(ctx, "municipality add", args, func(f *flag.FlagSet) {
		f.StringVar(&cmd.Name, "name", "", "name of the municipality")
	}, func(a *app, _ []string) error {
		id, err := a.commands.RegisterMunicipality(ctx, operator(), cmd)
		return printID(out, id, err)
	})
}

func addSchool(ctx context.Context, args []string, out io.Writer) error {
	var cmd commands.RegisterSchool
	var municipality string
	return tool(ctx, "school add", args, func(f *flag.FlagSet) {
		f.StringVar(&municipality, "municipality", "", "id of the municipality")
		f.StringVar(&cmd.Name, "name", "", "name of the school")
		f.StringVar(&cmd.Source, "source", "", "sourcedId of its org in the roster")
	}, func(a *app, _ []string) (err error) {
		if cmd.Municipality, err = idFlag[domain.MunicipalityID]("municipality", municipality); err != nil {
			return err
		}
		id, err := a.commands.RegisterSchool(ctx, operator(), cmd)
		return printID(out, id, err)
	})
}

func openSchoolYear(ctx context.Context, args []string, out io.Writer) error {
	var cmd commands.OpenSchoolYear
	var school string
	return tool(ctx, "school-year open", args, func(f *flag.FlagSet) {
		f.StringVar(&school, "school", "", "id of the school")
		f.StringVar((*string)(&cmd.From), "from", "", "first day, 2025-09-01")
		f.StringVar((*string)(&cmd.To), "to", "", "last day, 2026-08-31")
	}, func(a *app, _ []string) (err error) {
		if cmd.School, err = idFlag[domain.SchoolID]("school", school); err != nil {
			return err
		}
		id, err := a.commands.OpenSchoolYear(ctx, operator(), cmd)
		return printID(out, id, err)
	})
}

func addClass(ctx context.Context, args []string, out io.Writer) error {
	var cmd commands.CreateClass
	var school, year string
	return tool(ctx, "class add", args, func(f *flag.FlagSet) {
		f.StringVar(&school, "school", "", "id of the school")
		f.StringVar(&year, "year", "", "id of the school year")
		f.StringVar(&cmd.Name, "name", "", "name, such as 6.a")
	}, func(a *app, _ []string) (err error) {
		if cmd.School, err = idFlag[domain.SchoolID]("school", school); err != nil {
			return err
		}
		if cmd.Year, err = idFlag[domain.SchoolYearID]("year", year); err != nil {
			return err
		}
		id, err := a.commands.CreateClass(ctx, operator(), cmd)
		return printID(out, id, err)
	})
}

func replayStream(ctx context.Context, args []string, out io.Writer) error {
	var asOf string
	return tool(ctx, "replay", args, func(f *flag.FlagSet) {
		f.StringVar(&asOf, "as-of", "", "position of the log, time (2025-09-01T08:40:00Z) or day; now if empty")
	}, func(a *app, words []string) error {
		if len(words) != 1 {
			return fmt.Errorf("%w: zurnals replay <stream> [-as-of time|position]", errUsage)
		}
		return replay.Stream(ctx, out, a.commands, operator(), words[0], asOf, domain.Riga)
	})
}

func idFlag[ID ~struct{ uuid.UUID }](name, value string) (ID, error) {
	id, err := domain.ParseID[ID](value)
	if err != nil {
		return id, fmt.Errorf("%w: -%s: %q is not an id", errUsage, name, value)
	}
	return id, nil
}

func printID(out io.Writer, id fmt.Stringer, err error) error {
	if err != nil {
		return err
	}
	fmt.Fprintln(out, id)
	return nil
}
