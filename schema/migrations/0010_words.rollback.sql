DROP TABLE IF EXISTS crm_words;
DROP FUNCTION IF EXISTS is_closed_stage(anyelement), shipped_meaning(text, anyelement), folded_word(text);
