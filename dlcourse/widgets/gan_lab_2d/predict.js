// The lab's question: what is asked, and how it is said.

import { Predict } from "../js/predict.js";

export function predict(view) {
    return new Predict(view, {
        unit: "updates", lengths: [200, 500, 1000, 2000], usual: 500, words, label: capital,
        classes: { section: "gl-section", line: "gl-hint" },
    });
}

export function words(prediction) {
    const { state, text, target, options, guess, found, right, answered_at: at, asked_count: asked, right_count: hits } = prediction;
    if (state === "asked") return text;
    if (state === "running") return `You said: ${options[guess]}. The answer comes at step ${target}.`;
    if (right === null) return `The game ended at step ${at}, before step ${target}: no answer, and not counted.`;
    const verdict = right ? "You were right" : `You said: ${options[guess]}`;
    return `${verdict}. At step ${at}, ${found}. So far ${hits} of ${asked} predictions were right.`;
}

function capital(words) {
    return words[0].toUpperCase() + words.slice(1);
}
