"""What all experiments share: processes, crowds, faults, the table."""
