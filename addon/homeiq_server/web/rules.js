// What is watched: rules, and the form that makes one.

import { asked, button, onSubmit } from "./actions.js";
import { ask, duration, element, empty, mark, pairs, tell, value } from "./dom.js";
import { entry, isInUse, renew } from "./lists.js";
import { CHANGES, FINDINGS, KINDS, OPERATORS } from "./alert_words.js";
import { LOOKS, SEVERITIES } from "./severity.js";
import { metricNames, newestStates } from "./states.js";

const LIST = "rules";
const MOST = 500;
const PATH = "tenant/v1/alert-rules";
