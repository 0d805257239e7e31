import { expect, it } from "vitest";
import { openPages, type Page } from "./github-pages.ts";

const first = new URL("https://api.test/releases");
const call = new AbortController();

it("forgets the pages that are gone", async () => {
  const { server, pages } = setting(["a b", "c d", "e"]);
  await pages.current(call);

  server.pages = ["a b", "c"];

  expect(await pages.current(call)).toEqual(["a", "b", "c"]);
});

it("notices within as many looks as there are pages what has changed on any", async () => {
  const { server, pages } = setting(["a", "b", "c", "d", "e"]);
  await pages.current(call);

  server.pages = ["a", "b", "c", "d", "E"];

  const looks: string[] = [];
  while (looks.at(-1) !== "a b c d E") looks.push((await pages.current(call)).join(" "));
  expect(looks.length).toBeLessThanOrEqual(4);
});

it("knows no half list when a page cannot be had, and asks again for all that changed", async () => {
  const { server, pages } = setting(["a", "b", "c"]);
  await pages.current(call);

  server.pages = ["A", "B", "C"];
  server.broken = 2;
  await expect(pages.current(call)).rejects.toThrow("page 2 is broken");
  server.broken = undefined;

  expect(await pages.current(call)).toEqual(["A", "B", "C"]);
});

it("asks for everything where the server has no entity tags", async () => {
  const { server, pages } = setting(["a", "b"]);
  server.hasTags = false;
  await pages.current(call);

  server.pages = ["a", "B"];

  expect(await pages.current(call)).toEqual(["a", "B"]);
});

it("ends a list that does not", async () => {
  const { pages } = setting(Array.from({ length: 200 }, () => "x"));

  expect((await pages.current(call)).length).toBe(100);
});

/** Each page's items, separated by spaces; its text is its entity tag. */
function setting(texts: readonly string[]) {
  const server = { pages: texts, broken: undefined as number | undefined, hasTags: true };
  const fetchPage = async (url: URL, entityTag?: string): Promise<Page<string> | undefined> => {
    const number = Number(url.searchParams.get("page") ?? 1);
    if (number === server.broken) throw new Error(`page ${number} is broken`);
    const text = server.pages[number - 1] ?? "";
    if (entityTag !== undefined && entityTag === text) return undefined;
    const next = number < server.pages.length ? new URL(`?page=${number + 1}`, first) : undefined;
    const items = text.split(" ").filter(Boolean);
    return { items, entityTag: server.hasTags ? text : undefined, next };
  };
  return { server, pages: openPages(first, fetchPage) };
}
