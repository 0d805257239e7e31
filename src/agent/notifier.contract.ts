import { beforeEach, describe, expect, it } from "vitest";
import { aNotice } from "./notifier.fake.ts";
import { type Notice, type Notifier, NotifierError } from "./notifier.ts";

/** How the other side answers from now on. */
export type Answer = "accepts" | "is down" | "refuses the credentials" | "never answers";

export interface NotifierSetting {
  notifier: Notifier;
  answer(how: Answer): void;
  /** The whole of what arrived, one text a notice, as a reader gets it. */
  arrived(): string[];
  /** What must not be seen anywhere. */
  secret: string;
}

/** What every notifier must do. A driver's test calls this, then adds what only it promises. */
export function notifierContract(driver: string, set: () => Promise<NotifierSetting>): void {
  describe(`${driver} is a Notifier`, () => {
    let setting: NotifierSetting;
    beforeEach(async () => {
      setting = await set();
    });

    it.each<[Notice["kind"], string]>([
      ["normal", "Downloaded artifact for `v1.2.3`"],
      ["important", "Server restarted for `v1.2.3`"],
      ["error", "Error occurred (count: 1): 更新に失敗しました"],
      ["recovered", "Recovered: all is well again"],
    ])("tells a notice of the kind %s, whatever the language", async (kind, text) => {
      const { signal } = new AbortController();

      await setting.notifier.send(aNotice({ kind, text }), { signal });

      expect(setting.arrived()).toEqual([expect.stringContaining(text)]);
      expect(setting.arrived()[0]).toContain("web-1");
    });

    it.each([
      [true, "succeeded"],
      [false, "failed"],
    ])("tells what a hook came to (%s)", async (succeeded, word) => {
      const { signal } = new AbortController();
      const hook = { title: "Before Deploy", succeeded, durationMs: 1_234 };
      const text = `Before Deploy hook ${word} for \`v1\``;

      await setting.notifier.send(aNotice({ kind: "hook", text, hook }), { signal });

      expect(setting.arrived()[0]).toContain(text);
      expect(setting.arrived()[0]).toContain("1.2s");
    });

    it("keeps the order", async ({ signal }) => {
      for (const text of ["one", "two", "three"]) {
        await setting.notifier.send(aNotice({ text }), { signal });
      }

      expect(setting.arrived()).toEqual(
        ["one", "two", "three"].map((text) => expect.stringContaining(text)),
      );
    });

    it.each([
      ["is down", ["UNAVAILABLE", "RATE_LIMITED"]],
      ["refuses the credentials", ["UNAUTHORIZED"]],
    ] as const)("says what to do when the other side %s", async (how, codes) => {
      const { signal } = new AbortController();
      setting.answer(how);

      const error = await setting.notifier.send(aNotice(), { signal }).catch((thrown) => thrown);

      expect(error).toBeInstanceOf(NotifierError);
      expect(codes).toContain(error.code);
      expect(error.hint).toMatch(/\w+/);
      expect(`${error.stack} ${JSON.stringify(error)}`).not.toContain(setting.secret);
      expect(setting.arrived()).toEqual([]);
    });

    it("sends again once the other side is back", async ({ signal }) => {
      setting.answer("is down");
      await expect(setting.notifier.send(aNotice(), { signal })).rejects.toThrow(NotifierError);
      setting.answer("accepts");

      await setting.notifier.send(aNotice(), { signal });

      expect(setting.arrived()).toHaveLength(1);
    });

    it("lets go of one that never answers", async () => {
      setting.answer("never answers");
      const stop = new AbortController();
      const result = setting.notifier.send(aNotice(), stop);
      setTimeout(() => stop.abort(new Error("enough")), 50);

      await expect(result).rejects.toThrow(/enough|abort/i);
    });

    it("shows no secret in its name", () => {
      expect(setting.notifier.name).not.toContain(setting.secret);
    });
  });
}
