"""Mail as values: addresses, hosts, lists of them, dated and counted names, bounce tags, a message to read."""
