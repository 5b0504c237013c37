// The view of the smallest widget.

import { Canvas } from "../../dlcourse/widgets/js/canvas.js";
import { widget } from "../../dlcourse/widgets/js/widget.js";

export default widget((view) => {
    const canvas = new Canvas(view, { label: "A square", width: 200, height: 200 });
    view.hideable("square", canvas.el);
    view.body.append(canvas.el, ...Object.keys(view.spec.params).map((name) => view.control(name)));
    view.body.append(view.button("Fail", () => view.act("fail")));
    return {
        paint(frame) {
            const { data, shape } = frame.arrays.field;
            canvas.draw(() => canvas.field(data, shape, { smooth: false }));
            canvas.label(`A square. ${frame.header.say}`);
        },
    };
});
