/**
 * Collects single requests and answers them together: all requests of one turn of the event loop go into one call of
 * `answer`, which starts a process and so should handle many at once.
 * @param answer returns the answers in the order of the requests
 */
export function batched<Q, A>(answer: (questions: readonly Q[]) => Promise<readonly A[]>): (question: Q) => Promise<A> {
  interface Waiting {
    readonly question: Q;
    readonly resolve: (value: A) => void;
    readonly reject: (error: unknown) => void;
  }
  let waiting: Waiting[] = [];
  const flush = async (): Promise<void> => {
    const now = waiting;
    waiting = [];
    try {
      const answers = await answer(now.map(({ question }) => question));
      for (const [index, { resolve }] of now.entries()) resolve(answers[index]!);
    } catch (error) {
      for (const { reject } of now) reject(error);
    }
  };
  return (question) =>
    new Promise((resolve, reject) => {
      if (waiting.length === 0) setImmediate(flush);
      waiting.push({ question, resolve, reject });
    });
}
