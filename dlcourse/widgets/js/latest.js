// Requests to the kernel while a hand moves: one at a time. What came meanwhile is asked for next, and the last wish wins.

export class Latest {
    // ask(args): a promise.
    constructor(ask) {
        Object.assign(this, { ask, wanted: null, busy: false });
    }

    async want(args) {
        this.wanted = args;
        if (this.busy) return;
        this.busy = true;
        try {
            while (this.wanted !== null) {
                const next = this.wanted;
                this.wanted = null;
                await this.ask(next);
            }
        } catch {
            this.wanted = null; // act() has shown the error
        } finally {
            this.busy = false;
        }
    }
}
