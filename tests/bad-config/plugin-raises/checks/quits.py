raise SystemExit("no more")
