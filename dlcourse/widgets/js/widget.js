// The door: a widget's script ends with `export default widget((view) => ...)`, and all else is the same for every widget.

import { Session } from "./session.js";
import { View } from "./view.js";

// build(view) fills view.body once and returns {paint(frame), heard?(what)}.
export function widget(build) {
    return () => {
        let session = null; // one for each model, shared by its views
        return {
            initialize({ model }) {
                session = new Session(model);
            },
            render({ model, el }) {
                session ??= new Session(model);
                const view = new View(session, el);
                try {
                    view.start(build(view));
                } catch (error) {
                    view.fail(`This view could not be built: ${error.message}`, error.stack ?? "");
                    throw error;
                }
                return () => view.close();
            },
        };
    };
}
