"""What was built against the planted truth of a simulated lake."""
