DROP TABLE IF EXISTS insight_figures;
