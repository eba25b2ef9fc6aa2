"""Where a demo plays: for each scheduler what is set up for it, who counts what runs, and how nothing is left behind."""
