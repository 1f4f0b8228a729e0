"""What micro-conversions are worth: states of journeys, adjusted lift, intervals."""
