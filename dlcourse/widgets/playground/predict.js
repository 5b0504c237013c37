// The playground's question: what is asked, and how it is said.

import { Predict } from "../js/predict.js";

export function predict(view) {
    return new Predict(view, {
        unit: "steps", lengths: [50, 100, 300, 1000], usual: 300, words,
        classes: { section: "pg-section", line: "pg-question" },
    });
}

export function words(prediction) {
    const { state, steps, target, of, options, guess, answer, accuracy, right, answered_at: at, asked_count: asked, right_count: hits } = prediction;
    if (state === "asked") return `What share of the ${of} points will be right after ${steps} more steps?`;
    if (state === "running") return `You said ${options[guess]}. The answer comes at step ${target}.`;
    if (at < target) return `The run ended at step ${at}, before step ${target}: no answer, and not counted.`;
    const verdict = right ? "You were right" : `You said ${options[guess]}`;
    const found = accuracy === null ? "there is nothing to count" : `${Math.round(100 * accuracy)} % are right, ${options[answer]}`;
    return `${verdict}: at step ${target}, ${found}. So far ${hits} of ${asked} predictions were right.`;
}
