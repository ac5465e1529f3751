"""What the operator writes into the cluster besides Jobs: statuses, events and answers."""
