// What the view says in words: a preset's story, and the numbers of a state.

import { text } from "../js/scale.js";

export function story(preset) {
    if (!preset) return "";
    const seen = `Seen with this seed within ${preset.steps} updates; another seed may go otherwise.`;
    return preset.recovered ? `${preset.look} Now mended: ${preset.why}` : `${preset.look} ${seen}`;
}

// [name, value] of each number; modes: how many the target has, 0 for a curve.
export function lines(measured, modes) {
    const share = (value) => (value === null ? "–" : `${Math.round(100 * value)} %`);
    const reached = modes && measured.reached !== null ? `${Math.round(measured.reached * modes)} of ${modes}` : share(measured.reached);
    return [
        [modes ? "Modes covered" : "Target reached", reached],
        ["Generated points on it", share(measured.quality)],
        ["Points D tells apart", share(measured.right)],
        ["Median push", text(measured.push, 2)],
    ];
}
