package main

import "context"

func openMessageDB(context.Context, *bench, comparison) (contender, error) { return contender{}, errSkipped }
func openEmmett(context.Context, *bench, comparison) (contender, error)    { return contender{}, errSkipped }
