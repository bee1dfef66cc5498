"""What crosses slices: fixtures, architecture, contract, journeys, faults, bench."""
