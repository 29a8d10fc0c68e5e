import { describe, expect, test, vi } from 'vitest';
import { createProgress, inStage } from '../../src/base/progress.ts';

describe('progress', () => {
  test('stages at the same time share one line, and each is reported when it ends', () => {
    vi.useFakeTimers();
    try {
      let out = '';
      const progress = createProgress('spinner', false, (text) => {
        out += text;
      });
      const first = progress.stage('first');
      const second = progress.stage('second');
      first.update('doing this');
      second.update('doing that');
      vi.advanceTimersByTime(100);
      expect(out).toBe('\r\u001b[2K⠙ first        doing this  second       doing that');
      out = '';
      first.done('one thing', false);
      expect(out.slice(5)).toMatch(/^✓ first {8}one thing · \d+\.\d s\n$/);
      out = '';
      vi.advanceTimersByTime(100);
      expect(out).toBe('\r\u001b[2K⠹ second       doing that');
      out = '';
      second.failed();
      vi.advanceTimersByTime(1000);
      expect(out).toBe('\r\u001b[2K✗ second\n');
      expect(progress.finished.map(({ name }) => name)).toEqual(['first']);
    } finally {
      vi.useRealTimers();
    }
  });

  test('a stage that fails is reported, and its error goes on', async () => {
    let out = '';
    const progress = createProgress('plain', false, (text) => {
      out += text;
    });
    const failing = inStage(progress, 'x', () => Promise.reject(new Error('no')));
    await expect(failing).rejects.toThrow('no');
    expect(out).toBe('✗ x\n');
  });
});
