// The colours of all widgets, for a light and a dark page. Blue and orange are told apart in every kind of colour
// blindness, and shape (circle, triangle) says the same again. Tests hold them to the colours of dlcourse.plot.

export const LIGHT = {
    dark: false,
    ink: "#222222",
    quiet: "#5A5A5A",
    grid: "#E3E3DF",
    panel: "#FBFBF9",
    zero: "#0072B2",
    one: "#E69F00",
    wrong: "#222222",
    lines: ["#0072B2", "#D55E00", "#222222", "#009E73", "#C774A3"],
    field: ["#74B3DD", "#F7F7F5", "#F2AE6C"],
    missing: "#9A9A9A",
};

export const DARK = {
    dark: true,
    ink: "#ECECE8",
    quiet: "#B4B4B0",
    grid: "#3A3D42",
    panel: "#1B1D21",
    zero: "#56B4E9",
    one: "#F0B030",
    wrong: "#FFFFFF",
    lines: ["#56B4E9", "#FF8A4C", "#ECECE8", "#12966E", "#E8A6CC"],
    field: ["#235E8A", "#26282C", "#8F5A1C"],
    missing: "#6A6A6A",
};

export const STEPS = 254; // bytes 0 to 254 are values, 255 is "no value"

// [red, green, blue] of "#RRGGBB".
export function rgb(colour) {
    return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
}

// A colour between the stops, share from 0 to 1.
export function blend(stops, share) {
    const place = Math.min(Math.max(share, 0), 1) * (stops.length - 1);
    const low = Math.min(Math.floor(place), stops.length - 2);
    const [from, to] = [rgb(stops[low]), rgb(stops[low + 1])];
    return from.map((value, index) => Math.round(value + (to[index] - value) * (place - low)));
}

// For each byte its four bytes of colour; 255 is the colour of "no value".
export function table(palette, stops = palette.field) {
    const colours = new Uint8ClampedArray(256 * 4);
    for (let value = 0; value < 256; value += 1) {
        const colour = value > STEPS ? rgb(palette.missing) : blend(stops, value / STEPS);
        colours.set([...colour, 255], value * 4);
    }
    return colours;
}

// Is the page around this element dark? JupyterLab says so; elsewhere the background's lightness does.
export function isDark(element) {
    const said = element.ownerDocument.body.dataset.jpThemeLight;
    if (said !== undefined) return said === "false";
    for (let node = element; node; node = node.parentElement) {
        const parts = getComputedStyle(node).backgroundColor.match(/[\d.]+/g)?.map(Number);
        if (parts && (parts.length < 4 || parts[3] > 0.5)) {
            return 0.299 * parts[0] + 0.587 * parts[1] + 0.114 * parts[2] < 128;
        }
    }
    return false;
}
