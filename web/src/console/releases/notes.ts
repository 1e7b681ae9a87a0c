import type { Language } from '../../shared/api/objects';
import type { Release } from '../api/objects';

/** The notes in the language, else in English, else in any: the server chose which. */
export const notesIn = ({ notes, notes_by_language }: Release, language: Language): string =>
  notes_by_language[language] ?? notes;
