/** Runs `work` when all that was asked for before has ended, well or not. */
export type InTurn = <Result>(work: () => Promise<Result>) => Promise<Result>;

export function openTurns(): InTurn {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const result = last.then(work);
    last = result.catch(() => {});
    return result;
  };
}
