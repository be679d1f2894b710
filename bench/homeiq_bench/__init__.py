"""The benches: each measures one thing, side by side where two things are compared, and prints one JSON object."""
