// Each racer's colour, shape and dash, for light and dark, so that none has to be told by its colour alone.

const LIGHT = { sgd: "#222222", momentum: "#0072B2", nesterov: "#C774A3", rmsprop: "#009E73", adam: "#D55E00", adamw: "#7B3F00", own: "#7A00B3" };
const DARK = { sgd: "#ECECE8", momentum: "#56B4E9", nesterov: "#E8A6CC", rmsprop: "#12966E", adam: "#FF8A4C", adamw: "#F0E442", own: "#B388FF" };
const SHAPES = { sgd: "circle", momentum: "up", nesterov: "down", rmsprop: "square", adam: "diamond", adamw: "plus", own: "star" };
const DASHES = { sgd: [], momentum: [9, 3], nesterov: [3, 2], rmsprop: [9, 3, 2, 3], adam: [], adamw: [6, 2], own: [2, 2] };

// The land from its lowest place to its highest: water, shore, heights.
const LAND = { light: ["#8FA9C9", "#C5CCCB", "#FAF1C4"], dark: ["#12325C", "#2F3A42", "#59552F"] };
const LINES = { light: "#5A6B8099", dark: "#9DB0C466" };

export function look(racer, palette) {
    return { colour: (palette.dark ? DARK : LIGHT)[racer], shape: SHAPES[racer], dash: DASHES[racer] };
}

export function land(palette) {
    return { stops: LAND[palette.dark ? "dark" : "light"], line: LINES[palette.dark ? "dark" : "light"] };
}

// The corners of a shape of about this radius around (0, 0); null for a circle.
export function corners(shape, size) {
    const turned = (angles, radii = [1]) => angles.map((angle, index) => {
        const radius = size * radii[index % radii.length], way = (angle * Math.PI) / 180;
        return [radius * Math.sin(way), -radius * Math.cos(way)];
    });
    const thin = 0.38 * size, long = 1.15 * size;
    switch (shape) {
        case "up": return turned([0, 120, 240], [1.3]);
        case "down": return turned([60, 180, 300], [1.3]);
        case "square": return turned([45, 135, 225, 315], [1.25]);
        case "diamond": return turned([0, 90, 180, 270], [1.3]);
        case "star": return turned([0, 36, 72, 108, 144, 180, 216, 252, 288, 324], [1.5, 0.62]);
        case "plus": return [
            [-thin, -long], [thin, -long], [thin, -thin], [long, -thin], [long, thin], [thin, thin],
            [thin, long], [-thin, long], [-thin, thin], [-long, thin], [-long, -thin], [-thin, -thin],
        ];
        default: return null;
    }
}

// Draw a racer's mark at a pixel, with an edge in the page's colour so that it stands out from everything.
export function mark(ctx, { colour, shape }, [x, y], size, edge) {
    const outline = corners(shape, size);
    ctx.beginPath();
    if (outline) {
        for (const [dx, dy] of outline) ctx.lineTo(x + dx, y + dy);
        ctx.closePath();
    } else {
        ctx.arc(x, y, size, 0, 2 * Math.PI);
    }
    Object.assign(ctx, { fillStyle: colour, strokeStyle: edge, lineWidth: 3, lineJoin: "round" });
    ctx.setLineDash([]);
    ctx.stroke();
    ctx.fill();
}
