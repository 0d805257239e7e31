import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { FakeClock } from "../../base/clock.fake.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import { isFinalFault, isReleaseFault } from "../fault.ts";
import { SupervisorError } from "../supervisor/supervisor-error.ts";
import { isDecided } from "./journal.ts";
import { type Barrier, openRound, type Participant, type Round } from "./round.ts";

const alive = undefined;

describe("a move of a group", () => {
  let clock: FakeClock;
  let logger: FakeLogger;
  let round: Round;
  let journal: string;
  let reached: Barrier[];
  beforeEach(async () => {
    clock = new FakeClock();
    logger = new FakeLogger();
    reached = [];
    const directory = await mkdtemp(join(tmpdir(), "dewy-round-"));
    onTestFinished(() => rm(directory, { recursive: true }));
    journal = join(directory, "group.json");
    const parts = { clock, logger, reached: (barrier: Barrier) => void reached.push(barrier) };
    round = openRound({ group: "shop", tag: "v2", names: ["api", "web"], journal }, parts);
  });

  it("is decided when all have proved themselves, one after the other", async ({ signal }) => {
    const order: string[] = [];
    const work = async (name: string, participant: Participant) => {
      await participant.prepared({ signal });
      await participant.turn({ signal });
      order.push(name);
      await participant.proved(`/${name}/r2`, alive, { signal });
      await participant.noted();
      participant.leave();
    };

    await Promise.all([work("web", round.join("web")), work("api", round.join("api"))]);
    await round.ended({ signal });

    expect(order).toEqual(["api", "web"]);
    expect(reached).toEqual(["arrived", "prepared", "proved", "decided", "noted"]);
    expect(JSON.parse(await readFile(journal, "utf8"))).toMatchObject({
      ...{ tag: "v2", directories: ["/api/r2", "/web/r2"] },
    });
    expect(await isDecided(journal, "/web/r2", logger)).toBe(true);
    expect(await isDecided(journal, "/web/r1", logger)).toBe(false);
  });

  it("returns in reverse order, with the fault of the one that failed", async ({ signal }) => {
    const [api, web] = await bothPrepared(signal);
    await api.turn({ signal });
    const proved = api.proved("/api/r2", alive, { signal }).catch((error: unknown) => error);
    await web.turn({ signal });
    let isBack = false;
    void proved.then(() => {
      isBack = true;
    });

    await web.fail(new SupervisorError("START_FAILED", "it ended with status 3"));
    await clock.advance(0);
    expect(isBack).toBe(false);
    web.leave();
    const error = await proved;

    expect(error).toMatchObject({
      message: "the group shop does not move to v2: web: it ended with status 3",
    });
    expect([isReleaseFault(error), isFinalFault(error)]).toEqual([true, false]);
    expect(await isDecided(journal, "/api/r2", logger)).toBe(false);
  });

  it("takes the decision back when one dies before all ledgers have it", async ({ signal }) => {
    const [api, web] = await bothPrepared(signal);
    let dies = (_error: Error) => {};
    const death = new Promise<Error>((resolve) => {
      dies = resolve;
    });
    await Promise.all([
      api.proved("/api/r2", alive, { signal }),
      web.proved("/web/r2", death, { signal }),
    ]);
    const noted = api.noted().catch((error: unknown) => error);

    dies(new Error("killed"));
    await clock.advance(0);
    await expect(web.noted()).rejects.toThrow("web: killed");
    web.leave();

    expect(await noted).toMatchObject({ code: "MEMBER_FAILED" });
    expect(await isDecided(journal, "/api/r2", logger)).toBe(false);
  });

  it("waits for nobody for ever", async ({ signal }) => {
    const prepared = round.join("api").prepared({ signal });
    const failed = expect(prepared).rejects.toMatchObject({
      code: "NOT_TOGETHER",
      message: expect.stringContaining("web did not come along within 120 s"),
    });

    await clock.advance(120_000);

    await failed;
  });

  it("ends for all when one of them is stopped", async ({ signal }) => {
    const [api, web] = await bothPrepared(signal);
    const stop = new AbortController();
    const turn = web.turn(stop).finally(() => web.leave());
    stop.abort(new Error("told to stop"));

    await expect(turn).rejects.toThrow("told to stop");
    await expect(api.turn({ signal })).rejects.toThrow("web: it was stopped");
  });

  async function bothPrepared(signal: AbortSignal): Promise<[Participant, Participant]> {
    const both: [Participant, Participant] = [round.join("api"), round.join("web")];
    await Promise.all(both.map((each) => each.prepared({ signal })));
    return both;
  }
});
