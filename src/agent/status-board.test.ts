import { expect, it } from "vitest";
import type { Deployment } from "./event.ts";
import { openStatusBoard } from "./status-board.ts";

const deployment = { tag: "v1.1.0" } as Deployment;

it("knows what each app runs, and since a death that it does not", () => {
  const board = openStatusBoard();
  const web = board.observe({ app: "web", host: "h", mode: "server" });
  const pages = board.observe({ app: "pages", host: "h", mode: "assets" });
  web({ type: "started", version: "1", registry: "r", ports: [], tag: "v1.0.0" });
  pages({ type: "started", version: "1", registry: "r", ports: [], tag: "v1.0.0" });

  expect(board.status().apps).toEqual([
    { name: "web", command: "server", currentVersion: "v1.0.0", isRunning: false, backends: 0 },
    { name: "pages", command: "assets", currentVersion: "v1.0.0", isRunning: true, backends: 0 },
  ]);

  web({ type: "app started", reason: "boot", tag: "v1.0.0", pid: 1 });
  pages({ type: "deployed", deployment });
  web({ type: "app died", how: "ended with status 1" });

  expect(board.status().apps).toMatchObject([
    { currentVersion: "v1.0.0", isRunning: false },
    { currentVersion: "v1.1.0", isRunning: true },
  ]);
});

it("takes an app of containers to run while one of them serves", () => {
  const board = openStatusBoard();
  board.observe({ app: "web", host: "h", mode: "container" });
  let serving = 2;
  const look = async () => [];
  const engine = { name: "docker", variables: {} } as const;
  board.show("web", { engine, counts: () => ({ serving, asked: 3, crashes: 0 }), look });

  expect(board.status().apps).toMatchObject([{ isRunning: true, backends: 2 }]);
  serving = 0;
  expect(board.status().apps).toMatchObject([{ isRunning: false, backends: 0 }]);
  board.forget("web");
  expect([...board.views]).toEqual([]);
});

it("forgets an app that is gone, whatever it says afterwards", () => {
  const board = openStatusBoard();
  const web = board.observe({ app: "web", host: "h", mode: "server" });
  board.forget("web");

  web({ type: "stopping", reason: "told to" });

  expect(board.status().apps).toEqual([]);
});
