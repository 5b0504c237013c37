// The GAN lab's view: presets above, rules on the left, the plane in the middle, how the game went on the right.

import { Arena } from "./arena.js";
import { Charts } from "./charts.js";
import { ratio } from "./geometry.js";
import { predict } from "./predict.js";
import { lines, story } from "./story.js";
import { element } from "../js/dom.js";
import { isOpen } from "../js/predict.js";
import { widget } from "../js/widget.js";

const NAMES = {
    ...{ eight_gaussians: "Eight Gaussians", grid: "Grid of 25", point: "One Gaussian", line: "Line", ring: "Ring", moons: "Two moons" },
    ...{ spiral: "Spiral", drawn: "Drawn", non_saturating: "Non-saturating", minimax: "Minimax", least_squares: "Least squares" },
    ...{ hinge: "Hinge", wasserstein: "Wasserstein", none: "None", R1: "R1", gradient_penalty: "Gradient penalty" },
};

export default widget((view) => {
    const arena = new Arena(view);
    const charts = new Charts(view);
    const question = predict(view);
    const presets = new Presets(view);
    const moves = new Moves(view);
    const facts = new Facts(view);
    const fork = new Fork(view);
    const control = (name) => named(view.control(name));
    const strength = control("strength");
    const rates = element("p", { class: "gl-hint" });
    view.el.classList.add("gl-root");
    view.body.append(
        presets.el,
        element(
            "div", { class: "gl-left" },
            section("Target", control("data"), control("noise"), arena.tools),
            section("Rules", control("loss"), control("penalty"), strength, control("d_steps"), control("d_lr"), control("g_lr"), rates, control("beta1"), control("batch_size")),
            section("Networks", control("width"), control("latent"), control("seed")),
        ),
        element("div", { class: "gl-middle" }, moves.el, arena.el, question.el),
        element("div", { class: "gl-right" }, facts.el, charts.el, fork.el),
    );
    return {
        paint(frame) {
            strength.hidden = view.get("penalty") === "none";
            const rated = ratio(view.get("d_lr"), view.get("g_lr"));
            if (rates.textContent !== rated) rates.textContent = rated;
            for (const part of [arena, charts, question, presets, moves, facts, fork]) part.paint(frame);
        },
    };
});

function section(title, ...children) {
    return element("section", { class: "gl-section" }, element("h4", {}, title), ...children);
}

// Options as people write them.
function named(el) {
    for (const option of el.querySelectorAll("option")) option.textContent = NAMES[option.value] ?? option.textContent;
    return el;
}

// Games to watch, and what mends them.
class Presets {
    constructor(view) {
        this.view = view;
        this.row = element("div", { class: "dlc-row" }, element("span", {}, "Games"));
        this.text = element("p", { class: "gl-story" });
        this.recover = view.button("Recover", () => view.act("recover"), { title: "Set what mends this game, as it runs" });
        this.el = view.hideable("presets", element("div", { class: "gl-presets", role: "group", "aria-label": "Games to watch" }, this.row, this.text));
        this.buttons = null;
    }

    paint({ header: { presets, preset } }) {
        this.buttons ??= presets.map(({ id, name }) => {
            const button = this.view.button(name, () => this.choose(id), { pressed: false });
            this.row.append(button);
            return [id, button];
        });
        if (!this.recover.isConnected) this.row.append(this.recover);
        for (const [id, button] of this.buttons) button.setAttribute("aria-pressed", String(preset?.id === id));
        this.recover.disabled = !preset?.remedy || preset.recovered;
        const words = story(preset);
        if (this.text.textContent !== words) this.text.textContent = words;
        this.text.hidden = !words;
    }

    choose(game) {
        this.view.session.play(false);
        return this.view.act("preset", { game });
    }
}

// Whose turn it is, and either network's move out of turn.
class Moves {
    constructor(view) {
        this.next = element("span", { class: "gl-next" });
        this.buttons = [
            view.button("Step D", () => view.act("step_d"), { title: "One update of the discriminator, whoever's turn it is" }),
            view.button("Step G", () => view.act("step_g"), { title: "One update of the generator, whoever's turn it is" }),
            view.button("Round", () => view.act("round"), { title: "On to the end of the round: D's updates, then one of G" }),
        ];
        this.el = view.hideable("moves", element("div", { class: "dlc-row gl-moves" }, ...this.buttons, this.next));
        this.view = view;
    }

    paint({ header: { due, placed, counts, run } }) {
        const of = due === "D" ? ` (${Math.min(placed, this.view.get("d_steps"))} of ${this.view.get("d_steps")} done)` : "";
        const words = `Next: ${due}${of}. So far D ${counts.D}, G ${counts.G}`;
        if (this.next.textContent !== words) this.next.textContent = words;
        for (const button of this.buttons) button.disabled = !run.running;
    }
}

// Numbers of the present state, beside run A's; and what goes wrong, in words.
class Facts {
    constructor(view) {
        this.rows = element("tbody");
        this.a = element("th", { scope: "col" }, "Run A");
        this.table = element(
            "table", { class: "gl-table" },
            element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "Measured"), element("th", { scope: "col" }, "Now"), this.a)), this.rows,
        );
        this.health = element("ul", { class: "gl-health", "aria-live": "polite" });
        this.el = element("div", { class: "gl-section" }, this.table, this.health);
    }

    paint({ header }) {
        const [now, then] = [lines(header.measured, header.modes), header.kept && lines(header.kept.measured, header.modes)];
        this.a.hidden = !then;
        const key = JSON.stringify([now, then]);
        if (key !== this.key) {
            this.rows.replaceChildren(...now.map(([words, value], index) => element(
                "tr", {}, element("th", { scope: "row" }, words), element("td", {}, value), ...(then ? [element("td", {}, then[index][1])] : []),
            )));
        }
        this.key = key;
        const kinds = header.health.map((each) => each.split(":")[0]).join(); // the numbers in them change with every frame
        if (kinds !== this.kinds || header.run.step % 50 === 0) this.health.replaceChildren(...header.health.map((each) => element("li", {}, each)));
        this.kinds = kinds;
    }
}

// Keep the game as A and go on with B, both on one axis.
class Fork {
    constructor(view) {
        this.keep = view.button("Keep this run as A", () => view.act("fork"), { title: "Copy the game as it is; what you change from now on changes only the present one" });
        this.drop = view.button("Drop A", () => view.act("unfork"));
        this.drop.hidden = true;
        this.text = element("p", { class: "gl-hint" });
        this.el = view.hideable("fork", element("div", { class: "gl-section" }, element("div", { class: "dlc-row" }, this.keep, this.drop), this.text));
    }

    paint({ header }) {
        this.drop.hidden = !header.kept;
        this.keep.disabled = this.drop.disabled = isOpen(header.prediction); // a copy would tell
        this.keep.textContent = header.kept ? "Keep the present run instead" : "Keep this run as A";
        this.text.textContent = header.kept ? `A, at step ${header.kept.step}: ${header.kept.settings}` : "";
    }
}
