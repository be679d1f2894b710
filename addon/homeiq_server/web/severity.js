// How much something matters, as findings and alerts have it: 5 is the most.

export const LOOKS = { 5: "bad", 4: "bad", 3: "warn", 2: "wait", 1: "idle" };
export const SEVERITIES = { 5: "critical", 4: "high", 3: "medium", 2: "low", 1: "for information" };
export const MOST_FIRST = [5, 4, 3, 2, 1];
