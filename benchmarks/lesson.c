/* The lesson's training as a C compiler vectorises it: LANES networks side by side, the innermost loop over them.

   gcc -O3 -ffast-math -fopenmp takes exp from glibc's vector library (libmvec). HIDDEN and LANES are given when it is
   compiled. */

#include <math.h>
#include <stdint.h>

enum { PATTERNS = 4, INPUTS = 3 };

#define EACH_LANE _Pragma("omp simd") for (int l = 0; l < LANES; l++)

typedef double lanes[LANES] __attribute__((aligned(64)));

/* Train networks in place: W1 is (networks, INPUTS, HIDDEN), W2 (networks, HIDDEN); losses (epochs with record, networks). */
void train(long networks, long epochs, double rate, const double x[PATTERNS][INPUTS], const double y[PATTERNS],
           const uint8_t *record, double *W1, double *W2, double *losses)
{
#pragma omp parallel for schedule(static)
    for (long first = 0; first < networks; first += LANES) {
        lanes w1[INPUTS][HIDDEN], w2[HIDDEN], d1[INPUTS][HIDDEN], d2[HIDDEN], layer1[HIDDEN], slope, loss;
        const int used = networks - first < LANES ? networks - first : LANES;
        for (int h = 0; h < HIDDEN; h++)
            for (int l = 0; l < LANES; l++) {
                const long network = first + (l < used ? l : 0);
                for (int i = 0; i < INPUTS; i++)
                    w1[i][h][l] = W1[(network * INPUTS + i) * HIDDEN + h];
                w2[h][l] = W2[network * HIDDEN + h];
            }
        double *row = losses + first;
        for (long epoch = 0; epoch < epochs; epoch++) {
            EACH_LANE loss[l] = 0.0;
            for (int h = 0; h < HIDDEN; h++) {
                for (int i = 0; i < INPUTS; i++)
                    EACH_LANE d1[i][h][l] = 0.0;
                EACH_LANE d2[h][l] = 0.0;
            }
            for (int p = 0; p < PATTERNS; p++) {
                EACH_LANE slope[l] = 0.0;
                for (int h = 0; h < HIDDEN; h++)
                    EACH_LANE
                    {
                        double z = 0.0;
                        for (int i = 0; i < INPUTS; i++)
                            z += x[p][i] * w1[i][h][l];
                        layer1[h][l] = 1.0 / (1.0 + exp(-z));
                        slope[l] += layer1[h][l] * w2[h][l];
                    }
                EACH_LANE
                {
                    const double output = 1.0 / (1.0 + exp(-slope[l])), error = y[p] - output;
                    loss[l] += error * error;
                    slope[l] = 2.0 * error * output * (1.0 - output);
                }
                for (int h = 0; h < HIDDEN; h++)
                    EACH_LANE
                    {
                        const double delta = slope[l] * w2[h][l] * layer1[h][l] * (1.0 - layer1[h][l]);
                        d2[h][l] += slope[l] * layer1[h][l];
                        for (int i = 0; i < INPUTS; i++)
                            d1[i][h][l] += x[p][i] * delta;
                    }
            }
            if (record[epoch]) {
                for (int l = 0; l < used; l++)
                    row[l] = loss[l];
                row += networks;
            }
            for (int h = 0; h < HIDDEN; h++) {
                for (int i = 0; i < INPUTS; i++)
                    EACH_LANE w1[i][h][l] += rate * d1[i][h][l];
                EACH_LANE w2[h][l] += rate * d2[h][l];
            }
        }
        for (int h = 0; h < HIDDEN; h++)
            for (int l = 0; l < used; l++) {
                for (int i = 0; i < INPUTS; i++)
                    W1[((first + l) * INPUTS + i) * HIDDEN + h] = w1[i][h][l];
                W2[(first + l) * HIDDEN + h] = w2[h][l];
            }
    }
}
